from dataclasses import dataclass

from core.artwork_uploads.model import LIFETIME
from core.artwork_uploads.repository import ArtworkUploads
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PurgeUnusedUploads:
    """Purge uploads that nothing was made of in time, and their objects, one batch. Safe to run concurrently."""

    uploads: ArtworkUploads
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    transaction: Transaction
    clock: Clock

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many were purged."""
        async with self.transaction:
            expired = await self.uploads.expired(until=self.clock.now() - LIFETIME, limit=limit)
            objects = [upload.key for upload in expired]
            if expired:
                await self.discarded.add(*objects)
                await self.uploads.remove([upload.id for upload in expired])
        if objects:
            await self.delete_discarded.at_once(objects)
        return len(expired)
