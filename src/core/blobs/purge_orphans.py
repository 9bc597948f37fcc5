import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

import msgspec

from core.derivatives import original_of
from core.ports.blob_store import BlobStore, StoredBlob
from core.ports.clock import Clock
from core.ports.orphaned_blobs import OrphanedBlobs, Walk

OrphanAge = NewType("OrphanAge", timedelta)
"""The minimum age of an unreferenced object before it is purged."""

OWN_PREFIXES = ("public/", "samples/", "signatures/", "training/", "uploads/")
"""Key prefixes that this service writes, sorted. Objects of the AI servers are not examined."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PurgeOrphans:
    """Purge objects that were stored but never referenced, for example because of a crash before the commit.

    Walks the store in key order, one batch per call, continuing where the last call ended; one full walk per OrphanAge.
    A smaller copy counts as referenced while its original is. Younger objects are skipped: a transaction that refers to
    them may be about to commit. Safe to run concurrently.
    """

    orphans: OrphanedBlobs
    blobs: BlobStore
    clock: Clock
    age: OrphanAge

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many objects were examined; fewer than `limit` at the end of the walk."""
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
        """The current walk or a new one; None if a new one is not due yet."""
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
        originals = {key: original_of(key) for key in old}
        unreferenced = set(await self.orphans.among(sorted(set(originals.values())))) if old else set()
        orphans = [key for key in old if originals[key] in unreferenced]
        if orphans:
            await self.blobs.delete(*orphans)
            _log.warning("orphaned objects purged count=%s first=%s", len(orphans), orphans[0])
