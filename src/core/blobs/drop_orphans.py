import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

import msgspec

from core.ports.blob_store import BlobStore, StoredBlob
from core.ports.clock import Clock
from core.ports.orphaned_blobs import OrphanedBlobs, Walk

OrphanAge = NewType("OrphanAge", timedelta)
"""How old an object has to be before it counts as one that nobody will refer to any more."""

OWN_PREFIXES = ("public/", "samples/", "signatures/", "training/")
"""Where this service puts objects, sorted. What the AI servers put elsewhere is not looked at."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DropOrphans:
    """Remove objects that were put into the store by somebody who then crashed before any row referred to them.

    The store is walked in the order of its keys, one batch a call, where the last call has ended, and all of it once in
    OrphanAge. A younger object is left alone: it may belong to a transaction that is about to commit. Any number may
    walk at once.
    """

    orphans: OrphanedBlobs
    blobs: BlobStore
    clock: Clock
    age: OrphanAge

    async def __call__(self, *, limit: int = 100) -> int:
        """Answers how many objects were looked at; fewer than `limit` when the walk has come to its end."""
        now = self.clock.now()
        walk = await self._walk(now)
        if walk is None:
            return 0
        found = await self._next(walk.after, limit)
        await self._drop([blob.key for blob in found if blob.stored_at <= now - self.age])
        ended = len(found) < limit
        after = found[-1].key if found else walk.after
        await self.orphans.keep(msgspec.structs.replace(walk, after=after, ended=ended))
        return len(found)

    async def _walk(self, now: datetime) -> Walk | None:
        """The one under way, or a new one; None when it is too early for that."""
        last = await self.orphans.walk()
        if last is None or (last.ended and last.begun_at <= now - self.age):
            return Walk(begun_at=now)
        return None if last.ended else last

    async def _next(self, after: str, limit: int) -> list[StoredBlob]:
        found: list[StoredBlob] = []
        for prefix in OWN_PREFIXES:
            if len(found) < limit:
                found += await self.blobs.stored(prefix, after=after, limit=limit - len(found))
        return found

    async def _drop(self, old: list[str]) -> None:
        orphans = await self.orphans.among(old) if old else []
        if orphans:
            await self.blobs.delete(*orphans)
            _log.warning("Removed %s objects that nothing refers to: %s, ...", len(orphans), orphans[0])
