from dataclasses import dataclass

import msgspec

from core.accounts.errors import ArtistOnly
from core.artwork_uploads.model import LIFETIME, ArtworkUpload, prefix
from core.artwork_uploads.repository import ArtworkUploads
from core.artwork_uploads.views import UnusedUpload, announced
from core.ports.blob_store import BlobStore, UploadUrl
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.requester import Requester


@dataclass(frozen=True, slots=True)
class ListUnusedUploads:
    """List one's own uploads that nothing was made of yet, so that an interrupted set can go on where it ended."""

    uploads: ArtworkUploads
    blobs: BlobStore
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: Requester) -> list[UnusedUpload]:
        """Return them with new URLs, those announced first at the start."""
        if not requester.is_artist:
            raise ArtistOnly
        now = self.clock.now()
        async with self.transaction:
            uploads = await self.uploads.unused(requester.id, since=now - LIFETIME)
        arrived = set(await self.blobs.keys(prefix(requester.id))) if uploads else set()
        urls = await self.blobs.upload_urls(*(upload.expected(at=now) for upload in uploads))
        return [_shown(upload, url, upload.key in arrived) for upload, url in zip(uploads, urls, strict=True)]


def _shown(upload: ArtworkUpload, url: UploadUrl, arrived: bool) -> UnusedUpload:
    return UnusedUpload(
        **msgspec.structs.asdict(announced(upload, url)),
        name=upload.name,
        content_type=upload.content_type,
        size=upload.size,
        arrived=arrived,
        created_at=upload.created_at,
    )
