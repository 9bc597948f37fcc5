from datetime import datetime
from enum import Enum

import msgspec

from core.audit.model import parse_reason
from core.identifiers import HoldId, UserId, WithdrawalId
from core.tokens.model import ISSUANCE, Hold, TransferKind, earnings
from core.withdrawals.errors import OwnWithdrawal, WithdrawalEnded


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
    earned_until: datetime
    """Only what was earned before this was withdrawable."""
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
        """Raises WithdrawalEnded or OwnWithdrawal."""
        return self._end(WithdrawalStatus.SETTLED, at=at, by=by, reason=None)

    def reject(self, *, at: datetime, by: UserId, reason: str) -> "Withdrawal":
        """Raises WithdrawalEnded, OwnWithdrawal or ValidationError."""
        return self._end(WithdrawalStatus.REJECTED, at=at, by=by, reason=parse_reason(reason))

    def _end(self, status: WithdrawalStatus, *, at: datetime, by: UserId, reason: str | None) -> "Withdrawal":
        if by == self.artist_id:
            raise OwnWithdrawal
        if self.status is not WithdrawalStatus.PENDING:
            raise WithdrawalEnded
        return msgspec.structs.replace(self, status=status, ended_at=at, ended_by=by, reason=reason)
