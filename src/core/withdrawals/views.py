from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import UserId, WithdrawalId
from core.paging import Page, PageRequest
from core.withdrawals.model import WithdrawalStatus


class WithdrawalView(msgspec.Struct, frozen=True):
    id: WithdrawalId
    amount: int
    """Tokens."""
    status: str
    reason: str | None
    """Only for rejected withdrawals."""
    created_at: datetime
    ended_at: datetime | None


class Payee(msgspec.Struct, frozen=True):
    """The artist; only the id is set for an erased user."""

    id: UserId
    username: str | None
    artist_name: str | None
    verified_email: str | None


class WithdrawalToSettle(WithdrawalView, frozen=True):
    """A withdrawal as admins see it."""

    artist: Payee
    ended_by: UserId | None


class WithdrawalsReader(Protocol):
    async def of_owner(self, artist_id: UserId, withdrawal_id: WithdrawalId) -> WithdrawalView:
        """Raises WithdrawalNotFound, also for another user's."""
        ...

    async def list_own(self, artist_id: UserId, *, page: PageRequest) -> Page[WithdrawalView]:
        """Newest first."""
        ...

    async def list(self, *, status: WithdrawalStatus | None, page: PageRequest) -> Page[WithdrawalToSettle]:
        """Withdrawals of all users, newest first."""
        ...
