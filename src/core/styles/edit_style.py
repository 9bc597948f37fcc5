from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, BinaryIO

import msgspec
from msgspec import UNSET, UnsetType

from core.accounts.pictures import accept_public_picture
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.blobs.removed_on_failure import put_all, removed_on_failure
from core.derivatives import derivatives_of
from core.identifiers import MAX_ID, StyleId, UserId
from core.ports.blob_store import PUBLIC_PREFIX, BlobStore
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.images import Images
from core.ports.secrets import Secrets
from core.ports.transaction import Transaction
from core.styles.model import License
from core.styles.repository import Styles, StyleVersions
from core.text import parse_free_text


class StyleChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields that are left out stay as they are."""

    description: str | UnsetType = UNSET
    generation_cost_tokens: int | UnsetType = UNSET
    license_type: License | UnsetType = UNSET
    valid_to: Annotated[datetime, msgspec.Meta(tz=True)] | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET
    show_samples: bool | UnsetType = UNSET
    version: Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)] | UnsetType = UNSET
    """The trained version to use for generations from now on."""


@dataclass(frozen=True, slots=True)
class EditStyle:
    """Change the terms of one's own trained style. Generations requested before keep their price and version."""

    styles: Styles
    versions: StyleVersions
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    blobs: BlobStore
    images: Images
    transaction: Transaction
    secrets: Secrets
    clock: Clock

    async def __call__(
        self, requester: UserId, style_id: StyleId, changes: StyleChanges, thumbnail: BinaryIO | None = None
    ) -> None:
        key = await self._store(requester, style_id, thumbnail) if thumbnail else None
        stored = [key, *derivatives_of(key)] if key else []
        async with removed_on_failure(self.blobs, self.transaction, *stored):
            style = await self.styles.of_id(style_id, lock=True)
            style.check_owner(requester)
            edited = style.edit(
                at=self.clock.now(),
                description=style.description
                if changes.description is UNSET
                else parse_free_text(changes.description).strip(),
                generation_cost_tokens=(
                    style.generation_cost_tokens
                    if changes.generation_cost_tokens is UNSET
                    else changes.generation_cost_tokens
                ),
                license_type=style.license_type if changes.license_type is UNSET else changes.license_type,
                valid_to=style.valid_to if changes.valid_to is UNSET else changes.valid_to,
                is_active=style.is_active if changes.is_active is UNSET else changes.is_active,
                show_samples=style.show_samples if changes.show_samples is UNSET else changes.show_samples,
                thumbnail_key=key or style.thumbnail_key,
            )
            if changes.version not in (UNSET, edited.version):
                version = await self.versions.of_number(style_id, changes.version)
                edited = edited.use(version, await self.versions.artworks(version.id), at=edited.updated_at)
            await self.styles.save(edited)
            replaced = [style.thumbnail_key] if key and style.thumbnail_key else []
            if replaced:
                await self.discarded.add(*replaced)
        if replaced:
            await self.delete_discarded.at_once(replaced)

    async def _store(self, requester: UserId, style_id: StyleId, thumbnail: BinaryIO) -> str:
        copy = await accept_public_picture(self.images, thumbnail, user=requester, field="thumbnail")
        key = f"{PUBLIC_PREFIX}styles/{style_id}/{self.secrets.token()[:16]}.{copy.image.extension}"
        await put_all(self.blobs, *copy.stored_as(key))
        return key
