from typing import Protocol


class Maintenance(Protocol):
    """Merges the appended parts of balances and counts, so that they stay quick to read; what is read stays the same.

    Each call is a transaction of its own, merges up to `limit` parts and answers how many: 0 when none are left that
    no other process is merging, or where the storage appends none. Any number may run at once; no other write waits for
    more than one call.
    """

    async def roll_up_balances(self, *, limit: int) -> int:
        """Merge balance deltas into the balances of their accounts."""
        ...

    async def roll_up_uses(self, *, limit: int) -> int:
        """Merge completed images into the counts, earnings and tags of their styles."""
        ...

    async def roll_up_tags(self, *, limit: int) -> int:
        """Merge tag deltas into the counts of their tags."""
        ...
