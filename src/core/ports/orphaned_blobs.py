from datetime import datetime
from typing import Protocol

import msgspec


class Walk(msgspec.Struct, frozen=True):
    """A walk over all objects in the store, in batches."""

    begun_at: datetime
    after: str = ""
    """The key reached so far."""
    ended: bool = False


class OrphanedBlobs(Protocol):
    """Orphaned objects (not referenced by any row) and the state of the walk. Each call is its own transaction."""

    async def among(self, keys: list[str]) -> list[str]:
        """Those keys that no committed row references.

        A version's objects count as referenced while its style exists, unless its artworks were refused.
        """
        ...

    async def walk(self) -> Walk | None:
        """The walk stored last."""
        ...

    async def keep(self, walk: Walk) -> None:
        """Store the state of the walk; of concurrent walks the last one wins, and a part may be walked twice."""
        ...
