from dataclasses import dataclass
from datetime import datetime

import msgspec

from core.accounts.errors import ArtistOnly
from core.artwork_uploads.errors import UnusableUpload, UploadMissing
from core.artwork_uploads.model import LIFETIME, ArtworkCheck, ArtworkUpload, Use, prefix
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.identifiers import StyleId, UploadId, UserId
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.transaction import Transaction
from core.requester import Requester
from core.styles.new_style import ArtworkText, NewStyle, StylesPerArtist, checked
from core.styles.repository import Styles
from core.styles.views import CreatedStyle


class UploadedArtwork(msgspec.Struct, frozen=True):
    upload_id: UploadId
    text: ArtworkText = ArtworkText()


@dataclass(frozen=True, slots=True)
class CreateStyleFromUploads:
    """Create a style from uploads that have arrived. CheckArtworks checks them and queues the training.

    A refusal leaves the uploads unused, so that what is missing can be sent.
    """

    uploads: ArtworkUploads
    checks: ArtworkChecks
    styles: Styles
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock
    limit: StylesPerArtist

    async def __call__(self, requester: Requester, new: NewStyle, artworks: list[UploadedArtwork]) -> CreatedStyle:
        if not requester.is_artist:
            raise ArtistOnly
        now, artist = self.clock.now(), requester.id
        described = checked(new, [artwork.text for artwork in artworks], at=now)
        upload_ids = [artwork.upload_id for artwork in artworks]
        async with self.transaction:  # an early refusal; checked again under a lock at the end
            described.check_portfolio(await self.styles.portfolio(artist), self.limit)
            announced = await self._announced(artist, upload_ids, now)
        await self._check_arrived(artist, announced)

        style = described.style(await self.ids.style(), artist, self.ids.task(), at=now)
        async with self.transaction:
            described.check_portfolio(await self.styles.portfolio(artist, lock=True), self.limit)
            announced = await self._announced(artist, upload_ids, now, lock=True)
            await self.styles.add(style, [])
            await self.uploads.save(_used(announced, style.id, described.texts))
            await self.checks.start(ArtworkCheck(style.id, artist, len(announced), now, now))
        return CreatedStyle(style.id, style.name, style.training_status.value, len(announced), style.created_at, None)

    async def _announced(
        self, artist_id: UserId, upload_ids: list[UploadId], now: datetime, *, lock: bool = False
    ) -> list[ArtworkUpload]:
        """In the given order. Raises UnusableUpload, also for one that is given twice."""
        unused = {upload.id: upload for upload in await self.uploads.unused(artist_id, since=now - LIFETIME, lock=lock)}
        announced = []
        for index, upload_id in enumerate(upload_ids):
            upload = unused.pop(upload_id, None)
            if upload is None:
                raise UnusableUpload(index=index)
            announced.append(upload)
        return announced

    async def _check_arrived(self, artist_id: UserId, announced: list[ArtworkUpload]) -> None:
        """Raises UploadMissing."""
        arrived = set(await self.blobs.keys(prefix(artist_id)))
        for index, upload in enumerate(announced):
            if upload.key not in arrived:
                raise UploadMissing(index=index, file=upload.name)


def _used(announced: list[ArtworkUpload], style_id: StyleId, texts: list[ArtworkText]) -> list[ArtworkUpload]:
    return [
        msgspec.structs.replace(upload, use=Use(style_id, index, text.caption, text.tags))
        for index, (upload, text) in enumerate(zip(announced, texts, strict=True))
    ]
