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
    """Bytes."""

    @property
    def extension(self) -> str:
        return "jpg" if self.format == "jpeg" else "png"

    @property
    def content_type(self) -> str:
        return f"image/{self.format}"


class NotAnImage(Exception):
    """Not exactly one complete JPEG or PNG: another format, truncated, damaged, with data behind its end, or a bomb."""


class Images(Protocol):
    async def inspect(self, content: BinaryIO) -> ImageFacts:
        """What the content is, by its bytes alone; it is decoded whole, off the event loop, one at a time in memory.

        Leaves the position at the start. Raises NotAnImage; images of more than 50 million pixels are refused by their
        header, before they are decoded.
        """
        ...
