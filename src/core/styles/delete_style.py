from contextlib import suppress
from dataclasses import dataclass

from core.identifiers import StyleId, UserId
from core.ports.blob_store import BlobStore, ForeignBlob
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.errors import StyleUsed
from core.styles.model import Style
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class DeleteStyle:
    """Remove one's own style with its objects, or close it once images were asked for with it; those stay."""

    styles: Styles
    blobs: BlobStore
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId, style_id: StyleId) -> None:
        try:
            removed = await self._remove(requester, style_id)
        except StyleUsed:
            await self._close(requester, style_id)
        else:
            await self.blobs.delete(*await self._objects(removed))

    async def _remove(self, requester: UserId, style_id: StyleId) -> Style:
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            style.check_owner(requester)
            await self.styles.remove(style_id)
        return style

    async def _close(self, requester: UserId, style_id: StyleId) -> None:
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            style.check_owner(requester)
            await self.styles.save(style.closed(at=self.clock.now()))

    async def _objects(self, style: Style) -> list[str]:
        keys = await self.blobs.keys(f"training/{style.id}/")
        if style.thumbnail_key:
            keys.append(style.thumbnail_key)
        if style.model_path:
            with suppress(ForeignBlob):
                keys.append(self.blobs.key_of(style.model_path))
        return keys
