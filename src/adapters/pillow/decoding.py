"""Checks and copies of images, in the calling process and without a limit of time: see `worker_processes`."""

from hashlib import sha256
from io import BytesIO
from typing import Literal, NamedTuple
from zlib import crc32

import simplejpeg
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from adapters.pillow import jpeg, png
from adapters.pillow.copies import copy_of, shrunk
from adapters.pillow.foreign import refuse_foreign
from adapters.pillow.jpeg import MAX_SCANNED, outline_of_jpeg, with_filler
from adapters.pillow.outline import Outline
from adapters.pillow.png import outline_of_png
from core.ports.images import NotAnImage

ROWS = 256
"""Pixel rows compared at a time."""
FILLERS = (b"\xa5\x2d\x93\x61\x4e\xb8\x17\xc9" * 8, b"\x5a\xd2\x6c\x9e\xb1\x47\xe8\x36" * 12)
"""Two fillers that differ everywhere and contain no markers. Their lengths differ, because either may end before the
missing data does.
"""


class Inspected(NamedTuple):
    format: Literal["jpeg", "png"]
    width: int
    height: int
    size: int
    """Bytes of the image, without trailing data."""
    digest: bytes
    """SHA-256 of these bytes."""


class Copy(NamedTuple):
    format: Literal["jpeg", "png"]
    width: int
    height: int
    digest: bytes
    content: bytes


class Shrunk(NamedTuple):
    side: int
    format: Literal["webp", "jpeg"]
    content: bytes


class _Kind(NamedTuple):
    name: Literal["jpeg", "png"]
    plugin: type[ImageFile]


JPEG, PNG = _Kind("jpeg", JpegImageFile), _Kind("png", PngImageFile)


def inspect(data: bytes) -> Inspected:
    """Identify the image at the start of the data and decode it once. Raises NotAnImage."""
    kind = _kind(data)
    outline = _checked_jpeg(data) if kind is JPEG else _checked_png(data)
    refuse_foreign(data, outline.end, outline.metadata)
    digest = sha256(memoryview(data)[: outline.end]).digest()
    return Inspected(kind.name, outline.width, outline.height, outline.end, digest)


def reencode(data: bytes, max_side: int | None) -> Copy:
    """Pixels only, as `Images.reencode` promises. Raises NotAnImage."""
    kind = _kind(data)
    try:
        encoded, width, height = copy_of(kind.plugin(BytesIO(data)), format=kind.name, max_side=max_side)
    except Exception as error:  # hostile files make decoders fail in any way
        raise NotAnImage("it cannot be decoded") from error
    content = encoded.getvalue()
    return Copy(kind.name, width, height, sha256(content).digest(), content)


def shrink(data: bytes, sides: tuple[int, ...]) -> list[Shrunk]:
    """Smaller copies, as `Images.shrink` promises. Raises NotAnImage."""
    kind = _kind(data)
    try:
        return [Shrunk(*one) for one in shrunk(kind.plugin(BytesIO(data)), sides)]
    except Exception as error:  # as a copy of what decodes, it fails for lack of memory at most
        raise NotAnImage("it cannot be made smaller") from error


def _kind(data: bytes) -> _Kind:
    if data.startswith(png.SIGNATURE):
        return PNG
    if data.startswith(jpeg.SIGNATURE):
        return JPEG
    raise NotAnImage("neither JPEG nor PNG")


def _checked_png(data: bytes) -> Outline:
    outline = outline_of_png(data)
    _pixels(PNG, data[: outline.end], outline)
    return outline


def _checked_jpeg(data: bytes) -> Outline:
    outline, scans, scanned = outline_of_jpeg(data)
    picture = data[: outline.end]
    if not _decodes_cleanly(picture, outline):
        if scanned * (1 + len(FILLERS)) > MAX_SCANNED:
            raise NotAnImage("JPEG with flaws that takes too long to decode")
        _check_pixels_present(picture, scans, outline)
    return outline


def _decodes_cleanly(picture: bytes, outline: Outline) -> bool:
    """Whether libjpeg has nothing to complain about: then no data is missing.

    All compressed data is decoded, but to an eighth of the size and without colours, which takes little memory.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(picture)
        simplejpeg.decode_jpeg(picture, "GRAY", min_height=1, min_width=1, min_factor=8)
    except Exception:  # also for what is harmless, such as padding before a marker
        return False
    if (width, height) != (outline.width, outline.height):
        raise NotAnImage("it is understood in two ways")
    return True


def _check_pixels_present(picture: bytes, scans: list[tuple[int, int]], outline: Outline) -> None:
    """Raises NotAnImage if data is missing that decoders would make up."""
    if len({_pixels(JPEG, with_filler(picture, scans, filler), outline) for filler in FILLERS}) > 1:
        raise NotAnImage("JPEG of which a part is missing")


def _pixels(kind: _Kind, data: bytes, outline: Outline) -> int:
    """A checksum of the pixels."""
    checksum = 0
    try:
        image = kind.plugin(BytesIO(data))
        if image.size == (outline.width, outline.height):
            image.load()
            for top in range(0, image.height if kind is JPEG else 0, ROWS):
                rows = (0, top, image.width, min(top + ROWS, image.height))
                checksum = crc32(image.crop(rows).tobytes(), checksum)
            return checksum
    except Exception as error:  # hostile files make decoders fail in any way
        raise NotAnImage("it cannot be decoded") from error
    raise NotAnImage("it is understood in two ways")
