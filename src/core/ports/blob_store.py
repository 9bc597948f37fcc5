from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

import msgspec

from core.errors import Category, DomainError


class BlobNotFound(DomainError):
    code = "BLOB_NOT_FOUND"
    category = Category.NOT_FOUND


class ForeignBlob(DomainError):
    """A URI that does not name an object of this service's own bucket."""

    code = "FOREIGN_BLOB"
    category = Category.INVALID


class StoreUnavailable(DomainError):
    code = "STORE_UNAVAILABLE"
    category = Category.UNAVAILABLE


PUBLIC_PREFIX = "public/"
"""Keys below it can be read by anybody at a plain URL; all others by signed URLs only."""


class Blob(msgspec.Struct, frozen=True):
    key: str
    content: BinaryIO
    content_type: str


class StoredBlob(msgspec.Struct, frozen=True):
    key: str
    stored_at: datetime
    """When its content was last put or copied there."""


class BlobStore(Protocol):
    """Objects under keys such as `training/10/image_0.jpg`: slash-separated, relative, no `.` or `..` parts.

    A key has at most 1024 bytes in UTF-8, a part 200; control characters, backslash, `?` and `#` are in none; none is
    the folder of another. Text that is no key is a ValueError.

    Not transactional: a use case writes objects before it commits and deletes them when it fails. An object is there
    whole or not at all. Every call raises StoreUnavailable when the store does not answer in time.
    """

    async def put(self, *blobs: Blob) -> None:
        """Store each content from start to end, replacing what is there; several at once where that is quicker.

        Costs memory for chunks, not for whole contents. When it raises, some may have been stored.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The whole object. Raises BlobNotFound."""
        ...

    async def copy(self, source: str, target: str) -> None:
        """Copy within the store, replacing what is at `target`. Raises BlobNotFound."""
        ...

    async def delete(self, *keys: str) -> None:
        """Delete what is there of these; what is not there is no error."""
        ...

    async def keys(self, prefix: str) -> list[str]:
        """All keys that start with `prefix`, sorted."""
        ...

    async def stored(self, prefix: str, *, after: str = "", limit: int) -> list[StoredBlob]:
        """The first `limit` objects whose keys start with `prefix` and come after `after`, in the order of their keys.

        Keys are ordered by their code points.
        """
        ...

    async def signed_url(self, key: str, *, lifetime: timedelta = timedelta(minutes=15)) -> str:
        """A URL by which anybody who has it can GET the object for at least half of `lifetime` and at most `lifetime`.

        It may be answered from a cache. Nothing is looked up: a key without an object gets a URL that answers 404.
        """
        ...

    def public_url(self, key: str) -> str:
        """The lasting URL of an object below PUBLIC_PREFIX. Raises ValueError for any other key."""
        ...

    def uri(self, key: str) -> str:
        """The `gs://bucket/key` by which the AI servers know the object."""
        ...

    def key_of(self, uri: str) -> str:
        """The key that `gs://bucket/key` or `https://storage.googleapis.com/bucket/key` names.

        Raises ForeignBlob for another bucket, another scheme or host, an empty key, a query, or `.`/`..` parts.
        """
        ...

    async def reachable(self) -> bool:
        """Whether the store answers now; False within 2 seconds when it does not."""
        ...
