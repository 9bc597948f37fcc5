from dataclasses import dataclass

from core.ports.transaction import Transaction
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class FoldUses:
    """Keep the counts of styles' images quick to read, a small batch at a time. Any number may run at once."""

    styles: Styles
    transaction: Transaction

    async def __call__(self, *, limit: int = 1000) -> int:
        """Answers how much was folded; 0 when there is nothing left that nobody else is at."""
        async with self.transaction:
            return await self.styles.fold_uses(limit=limit)
