from dataclasses import dataclass

import msgspec

from core.accounts.errors import ArtistOnly
from core.blobs.removed_on_failure import put_all, removed_on_failure
from core.ports.blob_store import Blob, BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.images import Image, Images
from core.ports.transaction import Transaction
from core.requester import Requester
from core.styles.artwork_files import artwork_of, blobs_of, inspected, sample_of
from core.styles.begin_training import BeginTraining
from core.styles.errors import DuplicateImage
from core.styles.model import Style
from core.styles.new_style import ArtworkText, CheckedStyle, NewStyle, StylesPerArtist, check_limit, checked
from core.styles.repository import Styles
from core.styles.version import Artwork, StyleVersion
from core.styles.views import CreatedStyle
from core.uploads import Upload


class TrainingImage(msgspec.Struct, frozen=True):
    """What the artist sends for one artwork."""

    upload: Upload
    caption: str | None = None
    tags: list[str] = []


@dataclass(frozen=True, slots=True)
class CreateStyle:
    """Create a style from training images, and queue its training or hold it for review.

    A refusal leaves neither rows nor objects behind.
    """

    styles: Styles
    begin_training: BeginTraining
    blobs: BlobStore
    images: Images
    transaction: Transaction
    ids: Ids
    clock: Clock
    limit: StylesPerArtist

    async def __call__(self, requester: Requester, new: NewStyle, training_images: list[TrainingImage]) -> CreatedStyle:
        if not requester.is_artist:
            raise ArtistOnly
        now, artist = self.clock.now(), requester.id
        uploads = [item.upload for item in training_images]
        described = checked(new, [ArtworkText(item.caption, item.tags) for item in training_images], at=now)
        async with self.transaction:  # an early refusal before the costly part; checked again under a lock at the end
            described.check_portfolio(await self.styles.portfolio(artist), self.limit)
        images = [await inspected(self.images, index, upload, user=artist) for index, upload in enumerate(uploads)]
        _check_distinct(images, uploads)
        samples = [
            await sample_of(self.images, index, upload.name, image, user=artist)
            for index, (upload, image) in enumerate(zip(uploads, images, strict=True))
        ]

        style = described.style(await self.ids.style(), artist, at=now)
        version = described.version(style.id, self.ids.task(), at=now)
        artworks = [
            artwork_of(await self.ids.artwork(), version.id, index, text, image)
            for index, (text, image) in enumerate(zip(described.texts, images, strict=True))
        ]
        blobs = [blob for files in zip(artworks, images, samples, strict=True) for blob in blobs_of(*files)]
        await self._store(described, style, version, artworks, blobs)
        return CreatedStyle(style.id, style.name, version.training_status.value, len(artworks), style.created_at, None)

    async def check_limit(self, requester: Requester) -> None:
        """Raises StyleLimitReached if any style of this artist would be refused."""
        async with self.transaction:
            check_limit(await self.styles.portfolio(requester.id), self.limit)

    async def _store(
        self, described: CheckedStyle, style: Style, version: StyleVersion, artworks: list[Artwork], blobs: list[Blob]
    ) -> None:
        await put_all(self.blobs, *blobs)
        async with removed_on_failure(self.blobs, self.transaction, *(blob.key for blob in blobs)):
            described.check_portfolio(await self.styles.portfolio(style.artist_id, lock=True), self.limit)
            await self.styles.add(style, await self.begin_training(style, version, artworks), artworks)


def _check_distinct(images: list[Image], uploads: list[Upload]) -> None:
    """Raises DuplicateImage."""
    indexes: dict[bytes, int] = {}
    for index, (image, upload) in enumerate(zip(images, uploads, strict=True)):
        first = indexes.setdefault(image.digest, index)
        if first != index:
            raise DuplicateImage(index=index, file=upload.name, same_as=first)
