from typing import Protocol

from core.identifiers import WithdrawalId
from core.withdrawals.model import Withdrawal


class Withdrawals(Protocol):
    """Withdrawals, in the open transaction."""

    async def of_id(self, withdrawal_id: WithdrawalId, *, lock: bool = False) -> Withdrawal:
        """Raises WithdrawalNotFound."""
        ...

    async def add(self, withdrawal: Withdrawal) -> None: ...

    async def save(self, withdrawal: Withdrawal) -> None: ...
