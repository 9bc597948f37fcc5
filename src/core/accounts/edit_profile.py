from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
from msgspec import UNSET, UnsetType

from core.accounts.errors import ArtistOnly
from core.accounts.model import Artist, User
from core.accounts.pictures import accept_picture, accept_public_picture, signature_key
from core.accounts.repository import Users
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.blobs.removed_on_failure import put_all, removed_on_failure
from core.identifiers import UserId
from core.ports.blob_store import PUBLIC_PREFIX, Blob, BlobNotFound, BlobStore, StoreUnavailable
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.images import Images
from core.ports.secrets import Secrets
from core.ports.transaction import Transaction
from core.text import parse_name


class ProfileChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields that are left out stay as they are."""

    username: str | UnsetType = UNSET
    bio: str | UnsetType = UNSET
    artist_name: str | UnsetType = UNSET
    """Artists only."""


@dataclass(frozen=True, slots=True)
class EditProfile:
    """Change one's own username, bio or picture; for artists also the artist name or the signature.

    Tasks put from now on name the new signature. The previous one stays in the store, since tasks already sent name it;
    it is purged as an orphan once it is as old as OrphanAge, counted from now.
    """

    users: Users
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    blobs: BlobStore
    images: Images
    transaction: Transaction
    secrets: Secrets
    clock: Clock

    async def __call__(
        self,
        user_id: UserId,
        changes: ProfileChanges,
        picture: BinaryIO | None = None,
        signature: BinaryIO | None = None,
    ) -> None:
        picture_blobs = await self._picture(user_id, picture) if picture else []
        signature_blob = await self._signature(user_id, signature) if signature else None
        blobs = [*picture_blobs, *([signature_blob] if signature_blob else [])]
        replaced: list[str] = []
        await put_all(self.blobs, *blobs)
        async with removed_on_failure(self.blobs, self.transaction, *(blob.key for blob in blobs)):
            user = await self.users.of_id(user_id, lock=True)
            await self.users.save(self._edited(user, changes, picture_blobs))
            if picture_blobs and user.picture_key:
                replaced = [user.picture_key]
                await self.discarded.add(*replaced)
            artist = await self._edit_artist(user_id, changes, signature_blob)
        if replaced:
            await self.delete_discarded.at_once(replaced)
        if artist and signature_blob:
            await self._keep_for_a_while(artist.signature_key)

    def _edited(self, user: User, changes: ProfileChanges, picture: list[Blob]) -> User:
        return user.edit(
            at=self.clock.now(),
            username=user.username if changes.username is UNSET else parse_name(changes.username),
            bio=user.bio if changes.bio is UNSET else changes.bio,
            profile_image=picture[0].key if picture else user.profile_image,
        )

    async def _edit_artist(self, user_id: UserId, changes: ProfileChanges, signature: Blob | None) -> Artist | None:
        """Return the artist as stored before the edit if it changed, else None."""
        if changes.artist_name is UNSET and signature is None:
            return None
        artist = await self.users.artist(user_id)
        if artist is None:
            raise ArtistOnly
        name = artist.artist_name if changes.artist_name is UNSET else parse_name(changes.artist_name)
        key = signature.key if signature else artist.signature_key
        edited = artist.edit(artist_name=name, signature_key=key)
        if edited.artist_name != artist.artist_name:
            edited.check_name()
        await self.users.save_artist(edited)
        return artist

    async def _picture(self, user_id: UserId, picture: BinaryIO) -> list[Blob]:
        """The picture itself first, then the smaller copies."""
        copy = await accept_public_picture(self.images, picture, user=user_id, field="profile_image")
        key = f"{PUBLIC_PREFIX}profiles/{user_id}/{self.secrets.token()[:16]}.{copy.image.extension}"
        return copy.stored_as(key)

    async def _signature(self, user_id: UserId, signature: BinaryIO) -> Blob:
        copy = await accept_picture(self.images, signature, user=user_id, field="signature_image")
        return copy.stored_as(signature_key(user_id, copy, self.secrets))

    async def _keep_for_a_while(self, key: str) -> None:
        """Restart the object's age: copying it onto itself counts as storing it now."""
        with suppress(BlobNotFound, StoreUnavailable):
            await self.blobs.copy(key, key)
