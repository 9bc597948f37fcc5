from dataclasses import dataclass

from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class FoldBalances:
    """Keep balances quick to read, a small batch at a time. Any number may run at once."""

    ledger: TokenLedger
    transaction: Transaction

    async def __call__(self, *, limit: int = 1000) -> int:
        """Answers how much was folded; 0 when there is nothing left that nobody else is at."""
        async with self.transaction:
            return await self.ledger.fold(limit=limit)
