from typing import BinaryIO, Protocol

import msgspec


class ImageFacts(msgspec.Struct, frozen=True):
    format: str
    """`jpeg` or `png`."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    size: int
    """Bytes of the picture itself; a file may have more behind it."""

    @property
    def extension(self) -> str:
        return "jpg" if self.format == "jpeg" else "png"

    @property
    def content_type(self) -> str:
        return f"image/{self.format}"


class ImageCopy(msgspec.Struct, frozen=True):
    facts: ImageFacts
    content: BinaryIO


class NotAnImage(Exception):
    """Not a complete JPEG or PNG: another format, truncated, damaged, a bomb, or another kind of file as well."""


class Images(Protocol):
    """Pictures, known by their bytes alone. They are decoded off the event loop, one at a time in memory."""

    async def inspect(self, content: BinaryIO) -> ImageFacts:
        """What the picture at the start of the content is; all of its pixels are there.

        What phones write behind it (trailers, further pictures, padding) does not count. Leaves the position at the
        start. Raises NotAnImage; images of more than 50 million pixels are refused by their header, before they are
        decoded, and files that are also an archive, a page or a document are refused.
        """
        ...

    async def reencode(self, content: BinaryIO, *, max_side: int | None = None) -> ImageCopy:
        """A copy of a picture that has passed `inspect`, for others to see, in the same format.

        Its pixels only, without any metadata: upright (EXIF orientation applied), 8 bits a channel, in sRGB. With
        `max_side`, scaled down until neither side has more pixels than that. Leaves the position at the start. Raises
        NotAnImage.
        """
        ...
