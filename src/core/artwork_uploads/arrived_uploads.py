from dataclasses import dataclass
from datetime import datetime

import msgspec

from core.artwork_uploads.errors import UnusableUpload, UploadMissing
from core.artwork_uploads.model import LIFETIME, ArtworkUpload, Use, prefix
from core.artwork_uploads.repository import ArtworkUploads
from core.identifiers import UploadId, UserId, VersionId
from core.ports.blob_store import BlobStore
from core.styles.new_style import ArtworkText


class UploadedArtwork(msgspec.Struct, frozen=True):
    upload_id: UploadId
    text: ArtworkText = ArtworkText()


@dataclass(frozen=True, slots=True)
class ArrivedUploads:
    """The uploads that an artist names, to make a version of a style of them."""

    uploads: ArtworkUploads
    blobs: BlobStore

    async def announced(
        self, artist_id: UserId, upload_ids: list[UploadId], *, at: datetime, lock: bool = False
    ) -> list[ArtworkUpload]:
        """In the given order; in the caller's transaction. Raises UnusableUpload, also for one that is given twice."""
        unused = {upload.id: upload for upload in await self.uploads.unused(artist_id, since=at - LIFETIME, lock=lock)}
        announced = []
        for index, upload_id in enumerate(upload_ids):
            upload = unused.pop(upload_id, None)
            if upload is None:
                raise UnusableUpload(index=index)
            announced.append(upload)
        return announced

    async def check(self, artist_id: UserId, announced: list[ArtworkUpload]) -> None:
        """Raises UploadMissing."""
        arrived = set(await self.blobs.keys(prefix(artist_id)))
        for index, upload in enumerate(announced):
            if upload.key not in arrived:
                raise UploadMissing(index=index, file=upload.name)


def used(announced: list[ArtworkUpload], version_id: VersionId, texts: list[ArtworkText]) -> list[ArtworkUpload]:
    return [
        msgspec.structs.replace(upload, use=Use(version_id, index, text.caption, text.tags))
        for index, (upload, text) in enumerate(zip(announced, texts, strict=True))
    ]
