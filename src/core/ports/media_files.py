from typing import Protocol

import msgspec


class Media(msgspec.Struct, frozen=True):
    content: bytes
    content_type: str


class MediaFiles(Protocol):
    """Serves objects of a store without a web server of its own, at `/media/<key>`."""

    async def read(self, key: str, *, expires: str | None, signature: str | None) -> Media:
        """The object behind a signed or public URL, whose parts are given as received.

        Raises BlobNotFound, also for a wrong or expired signature.
        """
        ...
