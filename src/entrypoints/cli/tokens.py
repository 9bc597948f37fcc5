import click

from core.tokens.model import MAX_AMOUNT
from entrypoints.cli.acting import Result, Scope, acting, reason, user

amount = click.argument("tokens", metavar="TOKENS", type=click.IntRange(1, MAX_AMOUNT))


@click.group()
def tokens() -> None:
    """Give bonus tokens to users, or take them back."""


@tokens.command
@user
@amount
@reason
@acting
async def grant(scope: Scope, user: str, tokens: int, reason: str) -> Result:
    """Give bonus tokens, which never become money. The user sees the reason.

    USER is an id, a username or an e-mail address.
    """
    from core.bonuses.grant_bonus import GrantBonus

    user_id = await scope.user(user)
    await (await scope.get(GrantBonus))(scope.operator, user_id, tokens=tokens, reason=reason)
    return Result({"id": user_id, "granted": tokens}, f"User {user_id} has {tokens} bonus tokens more.")


@tokens.command
@user
@amount
@reason
@acting
async def take(scope: Scope, user: str, tokens: int, reason: str) -> Result:
    """Take bonus tokens back, as far as they are unspent. The user sees the reason.

    USER is an id, a username or an e-mail address.
    """
    from core.bonuses.take_bonus import TakeBonus

    user_id = await scope.user(user)
    await (await scope.get(TakeBonus))(scope.operator, user_id, tokens=tokens, reason=reason)
    return Result({"id": user_id, "taken": tokens}, f"User {user_id} has {tokens} bonus tokens less.")
