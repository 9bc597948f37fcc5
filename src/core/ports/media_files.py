from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec

from core.errors import Category, DomainError


class UploadRefused(DomainError):
    """An upload that does not match its URL; `details` say in what. Nothing was stored."""

    code = "UPLOAD_REFUSED"
    category = Category.FORBIDDEN

    def __init__(self, problem: Literal["signature", "expired", "content_type", "size", "used"]) -> None:
        super().__init__(details={"problem": problem})


class Media(msgspec.Struct, frozen=True):
    content: bytes
    content_type: str


class SignedUpload(msgspec.Struct, frozen=True):
    """The query of a URL for an upload, as received."""

    expires: str
    size: str
    content_type: str
    signature: str


class MediaFiles(Protocol):
    """Serves objects of a store without a web server of its own, at `/media/<key>`."""

    async def read(self, key: str, *, expires: str | None, signature: str | None) -> Media:
        """The object behind a signed or public URL, whose parts are given as received.

        Raises BlobNotFound, also for a wrong or expired signature.
        """
        ...

    async def write(self, key: str, signed: SignedUpload, content: AsyncIterator[bytes], *, content_type: str) -> None:
        """Store what a client sends to a URL of `BlobStore.upload_urls`.

        The content is read as far as it matches the URL, and kept in memory by chunks. Raises UploadRefused.
        """
        ...
