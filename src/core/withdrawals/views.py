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


class Payer(msgspec.Struct, frozen=True):
    """Who has paid an artist; only the id is set for an erased user."""

    id: UserId
    username: str | None
    tokens: int
    """Bought tokens, before fees."""
    images: int


class WithdrawalSources(msgspec.Struct, frozen=True):
    """Where a withdrawal's tokens come from: all that the artist had earned in time for it. Amounts in tokens."""

    earned_until: datetime
    paid_tokens: int
    """Bought tokens that others paid; only these are withdrawable, less fees."""
    bonus_tokens: int
    """Bonus tokens that others paid."""
    own_tokens: int
    """Paid by the artist."""
    fee_tokens: int
    """The part of the fees that was taken from `paid_tokens`."""
    withdrawn_tokens: int
    """By earlier withdrawals."""
    debt_tokens: int
    """What the artist owes now; nothing is settled until it is paid or forgiven."""
    payers: int
    """How many others have paid with bought tokens."""
    first_paid_at: datetime | None
    last_paid_at: datetime | None
    largest_payers: list[Payer]
    """At most 10, the largest first."""


LARGEST_PAYERS = 10


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

    async def sources(self, withdrawal_id: WithdrawalId) -> WithdrawalSources:
        """Raises WithdrawalNotFound."""
        ...
