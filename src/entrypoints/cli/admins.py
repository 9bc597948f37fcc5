import click

from core.accounts.views import AccountsReader
from entrypoints.cli.acting import Result, Scope, acting, user
from entrypoints.cli.output import table


@click.group()
def admins() -> None:
    """List, add and remove admins."""


@admins.command("list")
@acting
async def show_admins(scope: Scope) -> Result:
    """List the admins."""
    found = await (await scope.get(AccountsReader)).admins()  # type: ignore[type-abstract]
    return Result(found, table(found, "id", "username", "email"))


@admins.command
@user
@acting
async def add(scope: Scope, user: str) -> Result:
    """Make a user who has signed in an admin. USER is an id, a username or an e-mail address."""
    from core.accounts.make_admin import MakeAdmin

    made = await (await scope.get(MakeAdmin))(scope.operator, await scope.user(user))
    return Result({"id": made.id, "username": made.username, "role": made.role}, f"{made.username} is an admin.")


@admins.command
@user
@acting
async def remove(scope: Scope, user: str) -> Result:
    """Remove the admin role. USER is an id, a username or an e-mail address."""
    from core.accounts.remove_admin import RemoveAdmin

    left = await (await scope.get(RemoveAdmin))(scope.operator, await scope.user(user))
    return Result({"id": left.id, "username": left.username, "role": left.role}, f"{left.username} is no admin now.")
