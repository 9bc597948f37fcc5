from typing import BinaryIO, Protocol

import msgspec

from core.errors import Category, DomainError
from core.identifiers import UserId
from core.ports.blob_store import Blob


class Image(msgspec.Struct, frozen=True):
    format: str
    """`jpeg` or `png`."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    size: int
    """Bytes."""
    digest: bytes
    """SHA-256 of the content."""
    content: BinaryIO
    perceptual_hash: int | None = None
    """64 bits, few of which differ between an image and a resized or recompressed copy of it.

    None if the image has too little detail to be recognized, and of what `reencode` returns.
    """

    @property
    def extension(self) -> str:
        return "jpg" if self.format == "jpeg" else "png"

    def stored_as(self, key: str) -> Blob:
        return Blob(key, self.content, f"image/{self.format}")


class Derivative(msgspec.Struct, frozen=True):
    """A smaller copy of an image."""

    side: int
    """Pixels of the longer side at most."""
    format: str
    """`webp` or `jpeg`."""
    content: BinaryIO


class NotAnImage(Exception):
    """Not a complete JPEG or PNG: another format, truncated, damaged, a decompression bomb, or a polyglot file."""


class ImagesUnavailable(DomainError):
    """An image could not be checked now, which says nothing about the image."""

    code = "IMAGES_UNAVAILABLE"
    category = Category.UNAVAILABLE


class Images(Protocol):
    """Image decoding, by content only, off the event loop and within limits of time and memory.

    `user` waits for the result: users take turns, so that one user's images do not delay another's for long. Each call
    raises ImagesUnavailable when decoding is not possible now. A file that was refused is refused again for a while
    without being decoded.
    """

    async def inspect(self, content: BinaryIO, *, user: UserId) -> Image:
        """Identify and fully decode the image at the start of the content.

        Trailing data that phones write (trailers, further images, padding) is not part of the image. Its content is a
        view of `content`, which is left at its start. Raises NotAnImage, also for more than 50 million pixels (checked
        in the header, before decoding), for what takes too long or too much memory to decode, and for files that are
        an archive, a web page or a document as well.
        """
        ...

    async def reencode(self, content: BinaryIO, *, user: UserId, max_side: int | None = None) -> Image:
        """Re-encode an image that has passed `inspect` for publication, in the same format.

        Pixels only, no metadata: EXIF orientation applied, 8 bits per channel, sRGB. With `max_side`, scaled down until
        neither side has more pixels. Leaves the position at the start. Raises NotAnImage.
        """
        ...

    async def shrink(self, content: BinaryIO, *, user: UserId, sides: tuple[int, ...]) -> list[Derivative]:
        """Make smaller copies of an image that `reencode` returned: for each of `sides` in WebP, then in JPEG.

        The longer side has at most that many pixels; none is enlarged. In JPEG, transparent parts are on white. Leaves
        the position at the start. Raises NotAnImage.
        """
        ...
