from datetime import datetime, timedelta

import msgspec

from core.identifiers import UploadId, UserId
from core.ports.blob_store import ExpectedBlob

CONTENT_TYPES = frozenset({"image/jpeg", "image/png"})
MAX_FILES = 100
"""Files that one call announces."""
MAX_UNUSED = 300
"""Uploads that an artist may have announced and not used yet."""
MAX_FILE_NAME = 255
LIFETIME = timedelta(days=1)
"""For how long an upload can be used after it was announced."""
URL_LIFETIME = timedelta(hours=6)
"""Maximum lifetime of a URL; a later one is good for the rest of the upload's lifetime."""


class ArtworkUpload(msgspec.Struct, frozen=True):
    """A file that an artist has announced, and sends to the store without this service."""

    id: UploadId
    artist_id: UserId
    name: str
    """The client's file name; used in messages only."""
    content_type: str
    """As announced."""
    size: int
    """Bytes, as announced."""
    created_at: datetime

    @property
    def key(self) -> str:
        return f"{prefix(self.artist_id)}{self.id}"

    def expected(self, *, at: datetime) -> ExpectedBlob:
        lifetime = min(URL_LIFETIME, self.created_at + LIFETIME - at)
        return ExpectedBlob(self.key, self.content_type, self.size, lifetime)


def prefix(artist_id: UserId) -> str:
    """What the keys of an artist's uploads begin with."""
    return f"uploads/{artist_id}/"
