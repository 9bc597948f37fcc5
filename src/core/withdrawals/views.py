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
    """Why it was rejected; None for every other state."""
    created_at: datetime
    ended_at: datetime | None


class Payee(msgspec.Struct, frozen=True):
    """Nothing but the number of one who has been erased since."""

    id: UserId
    username: str | None
    artist_name: str | None
    verified_email: str | None


class WithdrawalToSettle(WithdrawalView, frozen=True):
    """As an admin sees it."""

    artist: Payee
    ended_by: UserId | None


class WithdrawalsReader(Protocol):
    async def of_owner(self, artist_id: UserId, withdrawal_id: WithdrawalId) -> WithdrawalView:
        """Raises WithdrawalNotFound, for another's too."""
        ...

    async def list_own(self, artist_id: UserId, *, page: PageRequest) -> Page[WithdrawalView]:
        """Newest first."""
        ...

    async def list(self, *, status: WithdrawalStatus | None, page: PageRequest) -> Page[WithdrawalToSettle]:
        """Everybody's, newest first."""
        ...
