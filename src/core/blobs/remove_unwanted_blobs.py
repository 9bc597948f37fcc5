import logging
from dataclasses import dataclass

from core.errors import DomainError
from core.ports.blob_store import BlobStore
from core.ports.transaction import Transaction
from core.ports.unwanted_blobs import UnwantedBlobs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoveUnwantedBlobs:
    """Delete discarded objects from the store, one batch. Safe to run concurrently."""

    unwanted: UnwantedBlobs
    blobs: BlobStore
    transaction: Transaction

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many entries were processed. Raises StoreUnavailable; the entries stay for the next pass."""
        async with self.transaction:
            places = await self.unwanted.some(limit=limit)
        if places:
            await self._remove(places)
        return len(places)

    async def at_once(self, places: list[str]) -> None:
        """Delete objects after the commit that discarded them; on StoreUnavailable they stay for the next pass."""
        try:
            await self._remove(places)
        except DomainError as error:
            _log.warning("discarded objects not deleted yet count=%d reason=%s", len(places), error)

    async def _remove(self, places: list[str]) -> None:
        keys = [place for place in places if not place.endswith("/")]
        for place in places:
            if place.endswith("/"):
                keys += await self.blobs.keys(place)
        await self.blobs.delete(*keys)
        async with self.transaction:
            await self.unwanted.forget(places)
