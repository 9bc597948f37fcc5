from dataclasses import dataclass
from typing import BinaryIO

import msgspec
from msgspec import UNSET, UnsetType

from core.accounts.pictures import accept_picture
from core.accounts.repository import Users
from core.blobs.remove_unwanted_blobs import RemoveUnwantedBlobs
from core.blobs.removed_on_failure import put_all, removed_on_failure
from core.identifiers import UserId
from core.ports.blob_store import PUBLIC_PREFIX, Blob, BlobStore
from core.ports.clock import Clock
from core.ports.images import Images
from core.ports.secrets import Secrets
from core.ports.transaction import Transaction
from core.ports.unwanted_blobs import UnwantedBlobs
from core.text import parse_name


class ProfileChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    username: str | UnsetType = UNSET
    bio: str | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class EditProfile:
    """Change one's own username, bio or picture."""

    users: Users
    unwanted: UnwantedBlobs
    remove_unwanted: RemoveUnwantedBlobs
    blobs: BlobStore
    images: Images
    transaction: Transaction
    secrets: Secrets
    clock: Clock

    async def __call__(self, user_id: UserId, changes: ProfileChanges, picture: BinaryIO | None = None) -> None:
        key = await self._store(user_id, picture) if picture else None
        async with removed_on_failure(self.blobs, self.transaction, *filter(None, [key])):
            user = await self.users.of_id(user_id, lock=True)
            edited = user.edited(
                at=self.clock.now(),
                username=user.username if changes.username is UNSET else parse_name(changes.username),
                bio=user.bio if changes.bio is UNSET else changes.bio,
                profile_image=key or user.profile_image,
            )
            await self.users.save(edited)
            replaced = [user.own_picture] if key and user.own_picture else []
            if replaced:
                await self.unwanted.add(*replaced)
        if replaced:
            await self.remove_unwanted.at_once(replaced)

    async def _store(self, user_id: UserId, picture: BinaryIO) -> str:
        facts = await accept_picture(self.images, picture, field="profile_image")
        key = f"{PUBLIC_PREFIX}profiles/{user_id}/{self.secrets.token()[:16]}.{facts.extension}"
        await put_all(self.blobs, Blob(key, picture, facts.content_type))
        return key
