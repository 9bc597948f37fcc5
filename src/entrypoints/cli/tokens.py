import csv
from io import StringIO

import click

from core.identifiers import OrderId
from core.tokens.model import MAX_AMOUNT
from core.tokens.statement import Statement
from entrypoints.cli.acting import Result, Scope, acting, reason, user

amount = click.argument("tokens", metavar="TOKENS", type=click.IntRange(1, MAX_AMOUNT))


@click.group()
def tokens() -> None:
    """Give bonus tokens to users, or take them back; refund purchases, forgive debts; a statement for the books."""


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


@tokens.command
@user
@reason
@acting
async def forgive(scope: Scope, user: str, reason: str) -> Result:
    """Forgive what a user owes after a charge-back. The user sees the reason.

    USER is an id, a username or an e-mail address.
    """
    from core.debts.forgive_debt import ForgiveDebt

    user_id = await scope.user(user)
    await (await scope.get(ForgiveDebt))(scope.operator, user_id, reason=reason)
    return Result({"id": user_id, "debt_tokens": 0}, f"User {user_id} owes nothing.")


@tokens.command
@click.argument("order_id", metavar="ORDER_ID")
@click.option(
    "--amount", "tokens", type=click.IntRange(1, MAX_AMOUNT), help="Tokens to refund; by default all that are left."
)
@reason
@acting
async def refund(scope: Scope, order_id: str, tokens: int | None, reason: str) -> Result:
    """Refund a purchase, as far as its tokens are unspent. The user sees the reason.

    The tokens are on hold until a maintenance pass has had the money given back.
    """
    from core.purchases.refund_purchase import RefundPurchase

    purchase = await (await scope.get(RefundPurchase))(scope.operator, OrderId(order_id), tokens=tokens, reason=reason)
    held, price = (purchase.refund.tokens, purchase.refund.price) if purchase.refund else (0, 0)
    text = f"Purchase {order_id} is being refunded: {held} tokens, {price} {purchase.currency_code}."
    return Result(purchase, text)


@tokens.command
@click.option("--month", required=True, metavar="YYYY-MM", help="In UTC.")
@acting
async def export(scope: Scope, month: str) -> Result:
    """Write a month's statement as CSV: what was sold, refunded, charged back, earned and paid out, and is owed."""
    from core.tokens.export_statement import ExportStatement

    found = await (await scope.get(ExportStatement))(scope.operator, month)
    return Result(found, _csv(found))


COLUMNS = ("section", "item", "currency", "transfers", "tokens", "bought_tokens", "money", "matured_tokens")


def _csv(statement: Statement) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in statement.movements:
        moved = (row.kind, row.currency_code, row.transfers, row.tokens, row.bought_tokens, row.money, None)
        writer.writerow(("movement", *moved))
    for holding in statement.holdings:
        held = (holding.account, None, None, holding.tokens, holding.bought_tokens, None, holding.matured_tokens)
        writer.writerow(("holding", *held))
    return text.getvalue().rstrip()
