from dataclasses import dataclass

import msgspec

from core.accounts.errors import ArtistOnly
from core.artwork_uploads.errors import UploadLimitReached
from core.artwork_uploads.model import (
    CONTENT_TYPES,
    LIFETIME,
    MAX_FILE_NAME,
    MAX_FILES,
    MAX_UNUSED,
    ArtworkUpload,
)
from core.artwork_uploads.repository import ArtworkUploads
from core.artwork_uploads.views import AnnouncedUpload, announced
from core.errors import ValidationError
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.transaction import Transaction
from core.problems import Problem, wrong_count, wrong_length, wrong_number
from core.requester import Requester
from core.styles.errors import ImageSizeExceeded, InvalidImageFormat
from core.styles.repository import Styles
from core.styles.version import MAX_IMAGE


class FileToUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    content_type: str
    """`image/jpeg` or `image/png`."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class AnnounceUploads:
    """Announce artworks that the artist sends straight to the store, and say how to send them."""

    uploads: ArtworkUploads
    styles: Styles
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, requester: Requester, files: list[FileToUpload]) -> list[AnnouncedUpload]:
        """Return one for each file, in the same order."""
        if not requester.is_artist:
            raise ArtistOnly
        _check(files)
        now = self.clock.now()
        uploads = [
            ArtworkUpload(await self.ids.upload(), requester.id, file.name, file.content_type, file.size, now)
            for file in files
        ]
        async with self.transaction:
            await self.styles.portfolio(requester.id, lock=True)  # so that no other call counts at the same time
            unused = await self.uploads.unused(requester.id, since=now - LIFETIME)
            if len(unused) + len(uploads) > MAX_UNUSED:
                raise UploadLimitReached(MAX_UNUSED)
            await self.uploads.add(uploads)
        urls = await self.blobs.upload_urls(*(upload.expected(at=now) for upload in uploads))
        return [announced(upload, url) for upload, url in zip(uploads, urls, strict=True)]


def _check(files: list[FileToUpload]) -> None:
    problems: dict[str, Problem] = {}
    if not 1 <= len(files) <= MAX_FILES:
        problems["files"] = wrong_count(1, MAX_FILES)
    for index, file in enumerate(files):
        if not 1 <= len(file.name) <= MAX_FILE_NAME:
            problems[f"files.{index}.name"] = wrong_length(1, MAX_FILE_NAME)
        if file.size < 1:
            problems[f"files.{index}.size"] = wrong_number(1, MAX_IMAGE)
    if problems:
        raise ValidationError(**problems)
    for index, file in enumerate(files):
        if file.content_type not in CONTENT_TYPES:
            raise InvalidImageFormat(index=index, file=file.name)
        if file.size > MAX_IMAGE:
            raise ImageSizeExceeded(index=index, file=file.name, size=file.size, allowed=MAX_IMAGE)
