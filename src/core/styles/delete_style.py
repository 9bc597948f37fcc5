from contextlib import suppress
from dataclasses import dataclass

from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.identifiers import StyleId, UserId
from core.ports.blob_store import BlobStore, ForeignBlob
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.transaction import Transaction
from core.styles.errors import StyleUsed
from core.styles.model import Style
from core.styles.repository import Styles, StyleVersions
from core.styles.version import StyleVersion


@dataclass(frozen=True, slots=True)
class DeleteStyle:
    """Delete one's own style and its objects; if it was ever used, close it instead and keep its images."""

    styles: Styles
    versions: StyleVersions
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    blobs: BlobStore
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId, style_id: StyleId) -> None:
        try:
            objects = await self._remove(requester, style_id)
        except StyleUsed:
            await self._close(requester, style_id)
        else:
            await self.delete_discarded.at_once(objects)

    async def _remove(self, requester: UserId, style_id: StyleId) -> list[str]:
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            style.check_owner(requester)
            objects = objects_of(style, await self.versions.of_style(style_id), self.blobs)
            await self.styles.remove(style_id)
            await self.discarded.add(*objects)
        return objects

    async def _close(self, requester: UserId, style_id: StyleId) -> None:
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            style.check_owner(requester)
            await self.styles.save(style.close(at=self.clock.now()))


def objects_of(style: Style, versions: list[StyleVersion], blobs: BlobStore) -> list[str]:
    """The keys and prefixes of its objects and those of its versions."""
    objects = [key for version in versions for key in objects_of_version(version, blobs)]
    return [*objects, style.thumbnail_key] if style.thumbnail_key else objects


def objects_of_version(version: StyleVersion, blobs: BlobStore) -> list[str]:
    """The keys and prefixes of its objects."""
    objects = [f"training/{version.id}/", f"samples/{version.id}/"]
    if version.model_path:
        with suppress(ForeignBlob):
            objects.append(blobs.key_of(version.model_path))
    return objects
