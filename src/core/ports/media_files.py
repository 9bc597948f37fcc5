from typing import Protocol

import msgspec


class Media(msgspec.Struct, frozen=True):
    content: bytes
    content_type: str


class MediaFiles(Protocol):
    """The GET side of a store that has no web server of its own: this service answers its URLs at `/media/<key>`."""

    async def read(self, key: str, *, expires: str | None, signature: str | None) -> Media:
        """What a signed or public URL of the store leads to; the parts of the URL are given as they came.

        Raises BlobNotFound: for a wrong or expired signature as for a missing object.
        """
        ...
