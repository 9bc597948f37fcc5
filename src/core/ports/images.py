from typing import BinaryIO, Protocol

import msgspec

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
    content: BinaryIO

    @property
    def extension(self) -> str:
        return "jpg" if self.format == "jpeg" else "png"

    def stored_as(self, key: str) -> Blob:
        return Blob(key, self.content, f"image/{self.format}")


class NotAnImage(Exception):
    """Not a complete JPEG or PNG: another format, truncated, damaged, a decompression bomb, or a polyglot file."""


class Images(Protocol):
    """Image decoding, by content only. Runs off the event loop, one image in memory at a time."""

    async def inspect(self, content: BinaryIO) -> Image:
        """Identify and fully decode the image at the start of the content.

        Trailing data that phones write (trailers, further images, padding) is not part of the image. Its content is a
        view of `content`, which is left at its start. Raises NotAnImage, also for more than 50 million pixels (checked
        in the header, before decoding) and for files that are an archive, a web page or a document as well.
        """
        ...

    async def reencode(self, content: BinaryIO, *, max_side: int | None = None) -> Image:
        """Re-encode an image that has passed `inspect` for publication, in the same format.

        Pixels only, no metadata: EXIF orientation applied, 8 bits per channel, sRGB. With `max_side`, scaled down until
        neither side has more pixels. Leaves the position at the start. Raises NotAnImage.
        """
        ...
