"""Shared by the commands of admins: the actor, the user acted on, and the output."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import click
import msgspec
from dishka import AsyncContainer

from core.accounts.errors import NotAnAdmin
from core.accounts.views import AccountsReader
from core.audit.model import Operator, Source
from core.identifiers import UserId
from entrypoints import logs
from entrypoints.cli.output import show
from entrypoints.cli.parts import database, with_settings
from entrypoints.command_failed import CommandFailed
from entrypoints.settings import Settings

Part = TypeVar("Part")
Options = ParamSpec("Options")


class Result(msgspec.Struct, frozen=True):
    data: object
    """For `--json`."""
    text: str
    failure: str | None = None
    """What was not done; the command fails with it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of one unit of work, and the operator on whose behalf it runs."""

    container: AsyncContainer
    operator: Operator

    async def get(self, kind: type[Part]) -> Part:
        return await self.container.get(kind)

    async def user(self, who: str) -> UserId:
        """Raises NotOneUser."""
        accounts: AccountsReader = await self.container.get(AccountsReader)
        return await accounts.find(who)


Command = Callable[Concatenate[Scope, Options], Awaitable[Result]]

user = click.argument("user", metavar="USER")
"""Their id, username or e-mail address."""
reason = click.option("--reason", required=True, help="Why; it is kept in the audit log.")


def acting(command: Command[Options]) -> Callable[..., None]:
    """Make a command of a coroutine: it runs on the service's database, on behalf of an admin if one is given."""

    @click.option("--as", "admin", metavar="USER", help="The admin in whose name it is done; kept in the audit log.")
    @click.option("--json", "as_json", is_flag=True, help="Show the result as JSON.")
    @with_settings
    def run(
        settings: Settings, /, admin: str | None, as_json: bool, *args: Options.args, **kwargs: Options.kwargs
    ) -> None:
        with database(settings, click.get_current_context().command_path.partition(" ")[2]) as complete:
            result = asyncio.run(_run(complete, admin, lambda scope: command(scope, *args, **kwargs)))
        show(result.data, result.text, as_json=as_json)
        if result.failure:
            raise CommandFailed(result.failure)

    return update_wrapper(run, command)


async def _run(settings: Settings, admin: str | None, work: Callable[[Scope], Awaitable[Result]]) -> Result:
    from entrypoints.container import create_container

    trace_id = uuid4().hex
    logs.trace_id.set(trace_id)
    operator = Operator(None, Source.COMMAND, account=getpass.getuser(), trace_id=trace_id)
    parts = create_container(settings)
    try:
        async with parts() as container:
            scope = Scope(container, operator)
            if admin is not None:
                scope = Scope(container, msgspec.structs.replace(operator, admin_id=await _admin(scope, admin)))
            return await work(scope)
    finally:
        await parts.close()


async def _admin(scope: Scope, who: str) -> UserId:
    """Raises NotOneUser or NotAnAdmin."""
    user_id = await scope.user(who)
    accounts: AccountsReader = await scope.get(AccountsReader)  # type: ignore[type-abstract]
    if user_id not in [admin.id for admin in await accounts.admins()]:
        raise NotAnAdmin
    return user_id
