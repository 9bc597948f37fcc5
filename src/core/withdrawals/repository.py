from typing import Protocol

from core.identifiers import UserId, WithdrawalId
from core.withdrawals.model import Withdrawal


class Withdrawals(Protocol):
    """Withdrawals, in the open transaction."""

    async def of_id(self, withdrawal_id: WithdrawalId, *, lock: bool = False) -> Withdrawal:
        """Raises WithdrawalNotFound."""
        ...

    async def has_pending(self, artist_id: UserId) -> bool: ...

    async def add(self, withdrawal: Withdrawal) -> None:
        """Raises WithdrawalPending if there is a pending one of the artist; it may surface at the commit."""
        ...

    async def save(self, withdrawal: Withdrawal) -> None: ...
