from datetime import datetime
from typing import Protocol

import msgspec


class Walk(msgspec.Struct, frozen=True):
    """A look at all that is in the store, some of it at a time."""

    begun_at: datetime
    after: str = ""
    """The key up to which it has come."""
    ended: bool = False


class OrphanedBlobs(Protocol):
    """Objects in the store that no row refers to, and how far the search for them has come. Each call stands alone."""

    async def among(self, keys: list[str]) -> list[str]:
        """Those of the keys to which no committed row refers; what belongs to a style or its rows is the style's."""
        ...

    async def walk(self) -> Walk | None:
        """The one that was kept last."""
        ...

    async def keep(self, walk: Walk) -> None:
        """How far it has come; of two walkers at once the last one counts, and a part may be walked twice."""
        ...
