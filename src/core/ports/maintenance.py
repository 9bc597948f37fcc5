from typing import Protocol


class Maintenance(Protocol):
    """Rolls up deltas of balances and counts, to keep reads fast; values read do not change.

    Each call is one transaction that merges up to `limit` deltas and returns how many: 0 if none are left that no other
    process is merging, or if the storage has no deltas. Safe to run concurrently; other writes wait for one call at
    most.
    """

    async def roll_up_balances(self, *, limit: int) -> int:
        """Roll up balance deltas into account balances."""
        ...

    async def roll_up_uses(self, *, limit: int) -> int:
        """Roll up completed images into the counts, earnings and tags of their styles."""
        ...

    async def roll_up_tags(self, *, limit: int) -> int:
        """Roll up tag deltas into tag counts."""
        ...
