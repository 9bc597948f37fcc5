"""What can be done in the console: each action calls a use case, in the name of the admin."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from dishka import AsyncContainer

from core.accounts.end_sessions import EndSessions
from core.accounts.make_admin import MakeAdmin
from core.accounts.remove_admin import RemoveAdmin
from core.audit.model import MAX_REASON, Operator
from core.bonuses.grant_bonus import GrantBonus
from core.bonuses.take_bonus import TakeBonus
from core.dead_letters.redrive_tasks import RedriveTasks
from core.debts.forgive_debt import ForgiveDebt
from core.errors import NotFound, ValidationError
from core.identifiers import MAX_ID, GenerationId, OrderId, ReportId, StyleId, UserId, WithdrawalId
from core.moderation.allow_style import AllowStyle
from core.moderation.approve_training import ApproveTraining
from core.moderation.close_style import CloseStyle
from core.moderation.hide_image import HideImage
from core.moderation.reject_training import RejectTraining
from core.moderation.restore_user import RestoreUser
from core.moderation.suspend_user import SuspendUser
from core.moderation.unhide_image import UnhideImage
from core.problems import wrong_token_amount
from core.purchases.refund_purchase import RefundPurchase
from core.reports.dismiss_report import DismissReport
from core.reports.uphold_report import UpholdReport
from core.requester import Requester, Role
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tokens.model import MAX_AMOUNT
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    max_length: int
    lines: int = 1
    pattern: str | None = None
    """Of a single line; a regular expression."""
    required: bool = True


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

    @property
    def tokens(self) -> int:
        """The field of that name. Raises ValidationError."""
        given = self.fields["tokens"]
        if not (given.isascii() and given.isdecimal() and int(given) <= MAX_AMOUNT):
            raise ValidationError(tokens=wrong_token_amount(1, MAX_AMOUNT))
        return int(given)

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


async def _grant(call: Call) -> None:
    grant = await call.get(GrantBonus)
    await grant(call.operator, UserId(call.number), tokens=call.tokens, reason=call.fields["reason"])


async def _take(call: Call) -> None:
    take = await call.get(TakeBonus)
    await take(call.operator, UserId(call.number), tokens=call.tokens, reason=call.fields["reason"])


async def _forgive(call: Call) -> None:
    await (await call.get(ForgiveDebt))(call.operator, UserId(call.number), reason=call.fields["reason"])


async def _hide(call: Call) -> None:
    await (await call.get(HideImage))(call.operator, GenerationId(call.number), reason=call.fields["reason"])


async def _unhide(call: Call) -> None:
    await (await call.get(UnhideImage))(call.operator, GenerationId(call.number), reason=call.fields["reason"])


async def _close(call: Call) -> None:
    await (await call.get(CloseStyle))(call.operator, StyleId(call.number), reason=call.fields["reason"])


async def _allow(call: Call) -> None:
    await (await call.get(AllowStyle))(call.operator, StyleId(call.number), reason=call.fields["reason"])


async def _withdraw(call: Call, *, keep_images: bool = True) -> None:
    admin = Requester(call.operator.admin, Role.ADMIN, is_artist=False)
    new = NewTakedown(call.fields["reason"], keep_images)
    await (await call.get(WithdrawStyle))(admin, StyleId(call.number), new, operator=call.operator)


async def _withdraw_with_images(call: Call) -> None:
    await _withdraw(call, keep_images=False)


async def _approve(call: Call) -> None:
    await (await call.get(ApproveTraining))(call.operator, StyleId(call.number), reason=call.fields["reason"])


async def _reject_training(call: Call) -> None:
    await (await call.get(RejectTraining))(call.operator, StyleId(call.number), reason=call.fields["reason"])


async def _settle(call: Call) -> None:
    await (await call.get(SettleWithdrawal))(call.operator, WithdrawalId(call.number))


async def _reject(call: Call) -> None:
    reject = await call.get(RejectWithdrawal)
    await reject(call.operator, WithdrawalId(call.number), reason=call.fields["reason"])


async def _uphold(call: Call) -> None:
    await (await call.get(UpholdReport))(call.operator, ReportId(call.number), reason=call.fields["reason"])


async def _dismiss(call: Call) -> None:
    await (await call.get(DismissReport))(call.operator, ReportId(call.number), reason=call.fields["reason"])


async def _refund(call: Call) -> None:
    refund = await call.get(RefundPurchase)
    tokens = call.tokens if call.fields["tokens"] else None
    await refund(call.operator, OrderId(call.target), tokens=tokens, reason=call.fields["reason"])


async def _redrive(call: Call) -> None:
    await (await call.get(RedriveTasks))(call.operator)


TOKENS = Field("tokens", "Tokens", 10, pattern="[0-9]+")
SHOWN_REASON = Field("reason", "Reason (the user sees it)", MAX_REASON, lines=3)
ARTIST_REASON = Field("reason", "Reason (the artist sees it)", MAX_REASON, lines=3)

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
        "grant-bonus": Action(
            "Grant bonus tokens", "Gives tokens that never become money.", _grant, (TOKENS, SHOWN_REASON)
        ),
        "take-bonus": Action("Take bonus tokens", "Takes unspent bonus tokens back.", _take, (TOKENS, SHOWN_REASON)),
        "forgive-debt": Action("Forgive the debt", "Forgives all that the user owes.", _forgive, (SHOWN_REASON,)),
        "make-admin": Action("Make an admin", "Gives the user the admin role.", _make_admin),
        "remove-admin": Action("Remove as an admin", "Takes the admin role away.", _remove_admin),
    },
    "generations": {
        "hide": Action("Hide", "Makes the image private and keeps its owner from publishing it.", _hide, (REASON,)),
        "unhide": Action("Unhide", "Lets the owner publish the image again.", _unhide, (REASON,)),
    },
    "styles": {
        "close": Action(
            "Close",
            "Closes the style to new generations until it is allowed again. Requested generations are made.",
            _close,
            (REASON,),
        ),
        "allow": Action("Allow", "Lets the artist open the style again.", _allow, (REASON,)),
        "approve-training": Action("Approve training", "Trains a style that waits for review.", _approve, (REASON,)),
        "reject-training": Action(
            "Reject training",
            "Fails a style that waits for review. The artist is notified that its artworks resemble another artist's.",
            _reject_training,
            (REASON,),
        ),
        "withdraw": Action(
            "Withdraw",
            "Takes the style down for good. Queued generations are cancelled and refunded; images stay public.",
            _withdraw,
            (ARTIST_REASON,),
        ),
        "withdraw-with-images": Action(
            "Withdraw with images",
            "Takes the style down for good and hides its images. Queued generations are cancelled and refunded.",
            _withdraw_with_images,
            (ARTIST_REASON,),
        ),
    },
    "purchases": {
        "refund": Action(
            "Refund",
            "Gives the money of unspent tokens back to the buyer, who sees the reason.",
            _refund,
            (Field("tokens", "Tokens (empty: all that are left)", 10, pattern="[0-9]+", required=False), SHOWN_REASON),
        ),
    },
    "withdrawals": {
        "settle": Action("Settle", "Marks the withdrawal as paid. The money has been transferred.", _settle),
        "reject": Action(
            "Reject",
            "Gives the tokens back to the artist, who sees the reason.",
            _reject,
            (ARTIST_REASON,),
        ),
    },
    "reports": {
        "uphold": Action(
            "Uphold",
            "Hides the image, closes the style, deletes the comment or suspends the user. All open reports of it end.",
            _uphold,
            (REASON,),
        ),
        "dismiss": Action(
            "Dismiss", "Shows again what reports have hidden. All open reports of it end.", _dismiss, (REASON,)
        ),
    },
    "overview": {
        "redrive": Action("Redrive dead letters", "Moves dead-lettered tasks back to their queues.", _redrive),
    },
}
"""By the page that offers them, and by name."""
