from datetime import datetime
from enum import Enum

import msgspec

from core.errors import ValidationError
from core.identifiers import HoldId, UserId, WithdrawalId
from core.problems import wrong_length
from core.text import parse_free_text, problem_of_free_text
from core.tokens.model import ISSUANCE, Hold, TransferKind, earnings
from core.withdrawals.errors import WithdrawalEnded

MAX_REASON = 500


class WithdrawalStatus(Enum):
    PENDING = "pending"
    SETTLED = "settled"
    REJECTED = "rejected"


class Withdrawal(msgspec.Struct, frozen=True):
    """A request to pay out tokens; they are held until an admin settles or rejects it."""

    id: WithdrawalId
    artist_id: UserId
    amount: int
    """Tokens."""
    hold_id: HoldId
    created_at: datetime
    status: WithdrawalStatus = WithdrawalStatus.PENDING
    reason: str | None = None
    """Why it was rejected; shown to the artist."""
    ended_at: datetime | None = None
    ended_by: UserId | None = None

    def hold(self) -> Hold:
        return Hold(
            id=self.hold_id,
            reference=f"withdrawal:{self.id}",
            kind=TransferKind.WITHDRAWAL,
            debit=earnings(self.artist_id),
            credit=ISSUANCE,
            amount=self.amount,
            at=self.created_at,
        )

    def settle(self, *, at: datetime, by: UserId) -> "Withdrawal":
        """Raises WithdrawalEnded."""
        return self._end(WithdrawalStatus.SETTLED, at=at, by=by, reason=None)

    def reject(self, *, at: datetime, by: UserId, reason: str) -> "Withdrawal":
        """Raises WithdrawalEnded or ValidationError."""
        reason = parse_free_text(reason)
        if not 1 <= len(reason.strip()) <= len(reason) <= MAX_REASON:
            raise ValidationError(reason=wrong_length(1, MAX_REASON))
        if problem := problem_of_free_text(reason, limit=MAX_REASON):
            raise ValidationError(reason=problem)
        return self._end(WithdrawalStatus.REJECTED, at=at, by=by, reason=reason)

    def _end(self, status: WithdrawalStatus, *, at: datetime, by: UserId, reason: str | None) -> "Withdrawal":
        if self.status is not WithdrawalStatus.PENDING:
            raise WithdrawalEnded
        return msgspec.structs.replace(self, status=status, ended_at=at, ended_by=by, reason=reason)
