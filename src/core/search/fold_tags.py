from dataclasses import dataclass

from core.ports.transaction import Transaction
from core.search.repository import TagCounts


@dataclass(frozen=True, slots=True)
class FoldTags:
    """Keep the counts of tags quick to read, a small batch at a time. Any number may run at once."""

    tag_counts: TagCounts
    transaction: Transaction

    async def __call__(self, *, limit: int = 1000) -> int:
        """Answers how much was folded; 0 when there is nothing left that nobody else is at."""
        async with self.transaction:
            return await self.tag_counts.fold(limit=limit)
