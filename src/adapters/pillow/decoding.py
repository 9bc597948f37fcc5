"""Checks and copies of images, in the calling process and without a limit of time: see `worker_processes`."""

from hashlib import sha256
from io import BytesIO
from typing import Literal, NamedTuple
from zlib import crc32

import simplejpeg
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from adapters.pillow import jpeg, png
from adapters.pillow.copies import copy_of, orientation_of, shrunk
from adapters.pillow.foreign import refuse_foreign
from adapters.pillow.jpeg import MAX_SCANNED, outline_of_jpeg, with_filler
from adapters.pillow.outline import Outline
from adapters.pillow.perceptual import SIDE, perceptual_hash
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
    perceptual_hash: int | None


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
    outline, pixels = _checked_jpeg(data) if kind is JPEG else _checked_png(data)
    refuse_foreign(data, outline.end, outline.metadata)
    digest = sha256(memoryview(data)[: outline.end]).digest()
    return Inspected(kind.name, outline.width, outline.height, outline.end, digest, _hash(kind, data, pixels))


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


def _checked_png(data: bytes) -> tuple[Outline, Image.Image]:
    """The outline, and the image."""
    outline = outline_of_png(data)
    return outline, _decoded(PNG, data[: outline.end], outline)


def _checked_jpeg(data: bytes) -> tuple[Outline, Image.Image | None]:
    """The outline, and the image in grey at an eighth of its size if it decodes cleanly."""
    outline, scans, scanned = outline_of_jpeg(data)
    picture = data[: outline.end]
    grey = _decoded_cleanly(picture, outline)
    if grey is None:
        if scanned * (1 + len(FILLERS)) > MAX_SCANNED:
            raise NotAnImage("JPEG with flaws that takes too long to decode")
        _check_pixels_present(picture, scans, outline)
    return outline, grey


def _decoded_cleanly(picture: bytes, outline: Outline) -> Image.Image | None:
    """The image in grey if libjpeg has nothing to complain about: then no data is missing.

    All compressed data is decoded, but to an eighth of the size and without colours, which takes little memory.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(picture)
        grey = simplejpeg.decode_jpeg(picture, "GRAY", min_height=1, min_width=1, min_factor=8)
    except Exception:  # also for what is harmless, such as padding before a marker
        return None
    if (width, height) != (outline.width, outline.height):
        raise NotAnImage("it is understood in two ways")
    return Image.frombytes("L", (grey.shape[1], grey.shape[0]), grey.tobytes())


def _check_pixels_present(picture: bytes, scans: list[tuple[int, int]], outline: Outline) -> None:
    """Raises NotAnImage if data is missing that decoders would make up."""
    if len({_checksum(with_filler(picture, scans, filler), outline) for filler in FILLERS}) > 1:
        raise NotAnImage("JPEG of which a part is missing")


def _checksum(picture: bytes, outline: Outline) -> int:
    """Of the pixels of a JPEG."""
    image = _decoded(JPEG, picture, outline)
    checksum = 0
    for top in range(0, image.height, ROWS):
        rows = (0, top, image.width, min(top + ROWS, image.height))
        checksum = crc32(image.crop(rows).tobytes(), checksum)
    return checksum


def _decoded(kind: _Kind, data: bytes, outline: Outline) -> ImageFile:
    try:
        image = kind.plugin(BytesIO(data))
        if image.size == (outline.width, outline.height):
            image.load()
            return image
    except Exception as error:  # hostile files make decoders fail in any way
        raise NotAnImage("it cannot be decoded") from error
    raise NotAnImage("it is understood in two ways")


def _hash(kind: _Kind, data: bytes, pixels: Image.Image | None) -> int | None:
    """The perceptual hash of the image, of which `pixels` may have been decoded; None if it cannot be computed."""
    try:
        opened = pixels if isinstance(pixels, ImageFile) else kind.plugin(BytesIO(data))
        opened.draft(None, (SIDE, SIDE))
        return perceptual_hash(pixels or opened, orientation_of(opened))
    except Exception:  # the image is good nevertheless
        return None
