import logging
from dataclasses import dataclass

from core.derivatives import derivatives_of
from core.errors import DomainError
from core.ports.blob_store import BlobStore
from core.ports.discarded_objects import DiscardedObjects
from core.ports.transaction import Transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeleteDiscardedObjects:
    """Delete discarded objects and their smaller copies from the store, one batch. Safe to run concurrently."""

    discarded: DiscardedObjects
    blobs: BlobStore
    transaction: Transaction

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many entries were processed. Raises StoreUnavailable; the entries stay for the next pass."""
        async with self.transaction:
            entries = await self.discarded.batch(limit=limit)
        if entries:
            await self._remove(entries)
        return len(entries)

    async def at_once(self, entries: list[str]) -> None:
        """Delete objects after the commit that discarded them; on StoreUnavailable they stay for the next pass."""
        try:
            await self._remove(entries)
        except DomainError as error:
            _log.warning("discarded objects not deleted yet count=%d reason=%s", len(entries), error)

    async def _remove(self, entries: list[str]) -> None:
        keys = [entry for entry in entries if not entry.endswith("/")] + derivatives_of(*entries)
        for entry in entries:
            if entry.endswith("/"):
                keys += await self.blobs.keys(entry)
        await self.blobs.delete(*keys)
        async with self.transaction:
            await self.discarded.remove(entries)
