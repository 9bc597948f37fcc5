import logging
from dataclasses import dataclass

from core.errors import DomainError
from core.ports.blob_store import BlobStore
from core.ports.transaction import Transaction
from core.ports.unwanted_blobs import UnwantedBlobs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoveUnwantedBlobs:
    """Remove from the store what nothing refers to any more, one batch. Any number may run at once."""

    unwanted: UnwantedBlobs
    blobs: BlobStore
    transaction: Transaction

    async def __call__(self, *, limit: int = 100) -> int:
        """Answers how many places were emptied. Raises StoreUnavailable: then they are left to another time."""
        async with self.transaction:
            places = await self.unwanted.some(limit=limit)
        if places:
            await self._remove(places)
        return len(places)

    async def at_once(self, places: list[str]) -> None:
        """For whoever has just given them up: where that fails they are left to another time, and nobody is told."""
        try:
            await self._remove(places)
        except DomainError as error:
            _log.warning("%d unwanted places have to wait: %s", len(places), error)

    async def _remove(self, places: list[str]) -> None:
        keys = [place for place in places if not place.endswith("/")]
        for place in places:
            if place.endswith("/"):
                keys += await self.blobs.keys(place)
        await self.blobs.delete(*keys)
        async with self.transaction:
            await self.unwanted.forget(places)
