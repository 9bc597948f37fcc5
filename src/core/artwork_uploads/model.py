from datetime import datetime, timedelta

import msgspec

from core.identifiers import StyleId, UploadId, UserId, VersionId
from core.ports.blob_store import ExpectedBlob
from core.styles.version import Artwork

CONTENT_TYPES = frozenset({"image/jpeg", "image/png"})
MAX_FILES = 100
"""Files that one call announces."""
MAX_UNUSED = 300
"""Uploads that an artist may have announced and not used yet."""
MAX_FILE_NAME = 255
LEASE = timedelta(minutes=3)
"""For how long a check is claimed after each file; longer than a file takes."""
LIFETIME = timedelta(days=1)
"""For how long an upload can be used after it was announced."""
URL_LIFETIME = timedelta(hours=6)
"""Maximum lifetime of a URL; a later one is good for the rest of the upload's lifetime."""


class Use(msgspec.Struct, frozen=True):
    """What an upload is used for."""

    version_id: VersionId
    index: int
    caption: str | None
    tags: list[str]
    passed: Artwork | None = None
    """The artwork, once the file has passed its check and the artwork's objects are stored."""


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
    use: Use | None = None
    """None while no version of a style is made of it."""

    @property
    def key(self) -> str:
        return f"{prefix(self.artist_id)}{self.id}"

    def expected(self, *, at: datetime) -> ExpectedBlob:
        lifetime = min(URL_LIFETIME, self.created_at + LIFETIME - at)
        return ExpectedBlob(self.key, self.content_type, self.size, lifetime)


def prefix(artist_id: UserId) -> str:
    """What the keys of an artist's uploads begin with."""
    return f"uploads/{artist_id}/"


class ArtworkCheck(msgspec.Struct, frozen=True):
    """The check of the uploads of which a version is made. One process at a time claims it, until it ends or dies."""

    version_id: VersionId
    style_id: StyleId
    artist_id: UserId
    files: int
    created_at: datetime
    updated_at: datetime
    kept_from: VersionId | None = None
    """The version whose artworks are kept as well; they need no check."""
    passed: int = 0
    """Files that have passed."""
    attempt: int = 0
    """Counts claims: what the holder of an earlier one does has no effect."""
