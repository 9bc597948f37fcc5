from datetime import datetime, timedelta
from typing import BinaryIO, Literal, Protocol

import msgspec

from core.errors import Category, DomainError


class BlobNotFound(DomainError):
    code = "BLOB_NOT_FOUND"
    category = Category.NOT_FOUND


class ForeignBlob(DomainError):
    """A URI that does not name an object in this service's bucket."""

    code = "FOREIGN_BLOB"
    category = Category.INVALID


class StoreUnavailable(DomainError):
    code = "STORE_UNAVAILABLE"
    category = Category.UNAVAILABLE


PUBLIC_PREFIX = "public/"
"""Objects below it are publicly readable at a plain URL; all others by signed URLs only."""


class Blob(msgspec.Struct, frozen=True):
    key: str
    content: BinaryIO
    content_type: str


class StoredBlob(msgspec.Struct, frozen=True):
    key: str
    stored_at: datetime
    """When its content was last stored or copied there."""


class ExpectedBlob(msgspec.Struct, frozen=True):
    """An object that somebody else may store."""

    key: str
    content_type: str
    size: int
    """Bytes, exactly."""
    lifetime: timedelta
    """For how long."""


class UploadUrl(msgspec.Struct, frozen=True):
    """How to store one object with one request, without any other permission.

    `PUT` the content to `url`. Or, where `method` is `POST`, call `url` without content first: the answer's `Location`
    is where to `PUT` the content, in parts if need be, and to ask how much of it has arrived.
    """

    url: str
    method: Literal["PUT", "POST"]
    headers: dict[str, str]
    """To be sent unchanged with `method`."""
    expires_at: datetime


class BlobStore(Protocol):
    """Objects under keys such as `training/10/image_0.jpg`: slash-separated, relative, no `.` or `..` parts.

    A key has at most 1024 bytes in UTF-8, a part at most 200; no control characters, backslash, `?` or `#`; no key is a
    prefix folder of another. An invalid key raises ValueError.

    Not transactional: a use case stores objects before it commits and deletes them when it fails. Objects are stored
    whole or not at all. Every call raises StoreUnavailable when the store does not answer in time.
    """

    async def put(self, *blobs: Blob) -> None:
        """Store each content from start to end, replacing existing objects; in parallel where that is faster.

        Memory use is by chunks, not whole contents. If it raises, some objects may have been stored.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The whole object. Raises BlobNotFound."""
        ...

    async def copy(self, source: str, target: str) -> None:
        """Copy within the store, replacing what is at `target`. Raises BlobNotFound."""
        ...

    async def delete(self, *keys: str) -> None:
        """Delete objects; missing ones are no error."""
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
        """A URL with which anyone can GET the object for at least half of `lifetime` and at most `lifetime`.

        May be answered from a cache. The object is not looked up: a URL of a missing one answers 404.
        """
        ...

    async def upload_urls(self, *expected: ExpectedBlob) -> list[UploadUrl]:
        """A URL for each, with which anyone can store the object, of this type and size, until its lifetime is over.

        It is good for one object: nothing is stored where an object already is. An upload that did not end stores
        nothing, and can be repeated.
        """
        ...

    async def allow_origins(self, *origins: str) -> None:
        """From now on pages of these origins, and of no others, can upload to the URLs, as browsers see it (CORS)."""
        ...

    def public_url(self, key: str) -> str:
        """The permanent URL of an object below PUBLIC_PREFIX. Raises ValueError for any other key."""
        ...

    def uri(self, key: str) -> str:
        """The `gs://bucket/key` under which the AI servers address the object."""
        ...

    def key_of(self, uri: str) -> str:
        """The key in `gs://bucket/key` or `https://storage.googleapis.com/bucket/key`.

        Raises ForeignBlob for another bucket, scheme or host, an empty key, a query, or `.`/`..` parts.
        """
        ...

    async def reachable(self) -> bool:
        """Whether the store answers now; False within 2 seconds when it does not."""
        ...
