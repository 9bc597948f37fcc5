from typing import Protocol


class TagCounts(Protocol):
    """How often each tag is in use, kept by the store itself as styles and images change."""

    async def fold(self, *, limit: int) -> int:
        """Have counts that are read as a sum of many parts read more quickly; they stay what they are.

        Takes up to `limit` parts at once and answers how many it took. Any number may do so at the same time, and
        nothing but another fold waits for it.
        """
        ...
