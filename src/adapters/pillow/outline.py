"""Common to the structure of JPEG and PNG files."""

from typing import NamedTuple

from core.ports.images import NotAnImage

MAX_PIXELS = 50_000_000


class Outline(NamedTuple):
    """The outer structure of a file that begins with an image."""

    width: int
    height: int
    end: int
    """The end of the image, in bytes from the start."""
    metadata: list[bytes]
    """The parts without pixels, which may contain anything."""


def check_pixels(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        raise NotAnImage(f"an image of {width} x {height} pixels")


def exactly(data: bytes, begin: int, size: int) -> bytes:
    """That many bytes from there. Raises NotAnImage if there are fewer."""
    found = data[begin : begin + size]
    if len(found) < size:
        raise NotAnImage("the file ends too early")
    return found
