"""What can be done in the console: each action calls a use case, in the name of the admin."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from dishka import AsyncContainer

from core.accounts.end_sessions import EndSessions
from core.accounts.make_admin import MakeAdmin
from core.accounts.remove_admin import RemoveAdmin
from core.audit.model import MAX_REASON, Operator
from core.dead_letters.redrive_tasks import RedriveTasks
from core.errors import NotFound
from core.identifiers import MAX_ID, UserId, WithdrawalId
from core.moderation.restore_user import RestoreUser
from core.moderation.suspend_user import SuspendUser
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    max_length: int
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """An action that an admin has asked for."""

    parts: AsyncContainer
    operator: Operator
    target: str
    """The key of the row; empty for an action on none."""
    fields: Mapping[str, str]

    @property
    def number(self) -> int:
        """The key as a number. Raises NotFound."""
        if not (self.target.isascii() and self.target.isdecimal() and int(self.target) <= MAX_ID):
            raise NotFound
        return int(self.target)

    async def get(self, kind: type[Part]) -> Part:
        return await self.parts.get(kind)


@dataclass(frozen=True, slots=True)
class Action:
    label: str
    effect: str
    run: Callable[[Call], Awaitable[None]]
    fields: tuple[Field, ...] = ()


REASON = Field("reason", "Reason (kept in the audit log)", MAX_REASON, lines=3)


async def _suspend(call: Call) -> None:
    await (await call.get(SuspendUser))(call.operator, UserId(call.number), reason=call.fields["reason"])


async def _restore(call: Call) -> None:
    await (await call.get(RestoreUser))(call.operator, UserId(call.number), reason=call.fields["reason"])


async def _end_sessions(call: Call) -> None:
    await (await call.get(EndSessions))(call.operator, UserId(call.number))


async def _make_admin(call: Call) -> None:
    await (await call.get(MakeAdmin))(call.operator, UserId(call.number))


async def _remove_admin(call: Call) -> None:
    await (await call.get(RemoveAdmin))(call.operator, UserId(call.number))


async def _settle(call: Call) -> None:
    await (await call.get(SettleWithdrawal))(call.operator, WithdrawalId(call.number))


async def _reject(call: Call) -> None:
    reject = await call.get(RejectWithdrawal)
    await reject(call.operator, WithdrawalId(call.number), reason=call.fields["reason"])


async def _redrive(call: Call) -> None:
    await (await call.get(RedriveTasks))(call.operator)


ACTIONS: dict[str, dict[str, Action]] = {
    "users": {
        "suspend": Action(
            "Suspend",
            "Ends the user's sessions, refuses new ones and closes the styles. Tokens and images are kept.",
            _suspend,
            (REASON,),
        ),
        "restore": Action(
            "Restore", "Lets a suspended user sign in again. The artist opens the styles.", _restore, (REASON,)
        ),
        "end-sessions": Action("End sessions", "Signs the user out everywhere.", _end_sessions),
        "make-admin": Action("Make an admin", "Gives the user the admin role.", _make_admin),
        "remove-admin": Action("Remove as an admin", "Takes the admin role away.", _remove_admin),
    },
    "withdrawals": {
        "settle": Action("Settle", "Marks the withdrawal as paid. The money has been transferred.", _settle),
        "reject": Action(
            "Reject",
            "Gives the tokens back to the artist, who sees the reason.",
            _reject,
            (Field("reason", "Reason (the artist sees it)", MAX_REASON, lines=3),),
        ),
    },
    "overview": {
        "redrive": Action("Redrive dead letters", "Moves dead-lettered tasks back to their queues.", _redrive),
    },
}
"""By the page that offers them, and by name."""
