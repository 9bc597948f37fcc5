from typing import Protocol


class TagCounts(Protocol):
    """How often each tag is in use, in all and with each style, kept by the store as styles and images change."""

    async def fold(self, *, limit: int) -> int:
        """Have counts that are read as a sum of many parts read more quickly; they stay what they are.

        Takes up to `limit` parts of either count at once and answers how many it took. Any number may do so at the same
        time, and nothing but another fold, or a change of the style itself, waits for it.
        """
        ...
