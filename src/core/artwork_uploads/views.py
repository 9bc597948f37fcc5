from datetime import datetime

import msgspec

from core.artwork_uploads.model import ArtworkUpload
from core.identifiers import UploadId
from core.ports.blob_store import UploadUrl


class AnnouncedUpload(msgspec.Struct, frozen=True, kw_only=True):
    """How to send a file: `PUT` it to `upload_url` with these headers.

    If `method` is `POST`, call `upload_url` without content first; the `Location` that is answered is where to `PUT`
    the file, and to go on after an interruption.
    """

    upload_id: UploadId
    upload_url: str
    method: str
    headers: dict[str, str]
    expires_at: datetime
    """When the URL expires. The upload itself can be used for a day, with a new URL."""


class UnusedUpload(AnnouncedUpload, frozen=True, kw_only=True):
    name: str
    content_type: str
    size: int
    """Bytes."""
    arrived: bool
    """Whether the whole file is in the store."""
    created_at: datetime


def announced(upload: ArtworkUpload, url: UploadUrl) -> AnnouncedUpload:
    return AnnouncedUpload(
        upload_id=upload.id, upload_url=url.url, method=url.method, headers=url.headers, expires_at=url.expires_at
    )
