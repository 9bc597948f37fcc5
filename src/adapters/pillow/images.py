import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import BinaryIO, Literal, NamedTuple
from zlib import crc32

from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from adapters.pillow import jpeg, png
from adapters.pillow.copies import copy_of
from adapters.pillow.first_bytes import first_bytes
from adapters.pillow.foreign import refuse_foreign
from adapters.pillow.jpeg import outline_of_jpeg, with_filler
from adapters.pillow.outline import Outline
from adapters.pillow.png import outline_of_png
from core.ports.images import Image, Images, NotAnImage

ROWS = 256
"""Pixel rows compared at a time."""
FILLERS = (b"\xa5\x2d\x93\x61\x4e\xb8\x17\xc9" * 8, b"\x5a\xd2\x6c\x9e\xb1\x47\xe8\x36" * 12)
"""Two fillers that differ everywhere and contain no markers. Their lengths differ, because either may end before the
missing data does.
"""


class PillowImages(Images):
    """Decodes one image at a time in a thread, so that memory is bounded by the largest one.

    JPEG has no checksums: damaged data is detected only if the decoder fails or pixels are missing.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="images")

    async def inspect(self, content: BinaryIO) -> Image:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _inspect, content)

    async def reencode(self, content: BinaryIO, *, max_side: int | None = None) -> Image:
        work = partial(_reencode, content, max_side)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Kind(NamedTuple):
    name: Literal["jpeg", "png"]
    plugin: type[ImageFile]


JPEG, PNG = _Kind("jpeg", JpegImageFile), _Kind("png", PngImageFile)


def _inspect(content: BinaryIO) -> Image:
    data = _whole(content)
    kind = _kind(data)
    outline = _checked_jpeg(data) if kind is JPEG else _checked_png(data)
    refuse_foreign(data, outline.end, outline.metadata)
    whole = outline.end == len(data)
    image = content if whole else first_bytes(content, outline.end)
    return Image(kind.name, outline.width, outline.height, outline.end, image)


def _reencode(content: BinaryIO, max_side: int | None) -> Image:
    data = _whole(content)
    kind = _kind(data)
    try:
        encoded, width, height = copy_of(kind.plugin(BytesIO(data)), format=kind.name, max_side=max_side)
    except Exception as error:  # hostile files make decoders fail in any way
        raise NotAnImage("it cannot be decoded") from error
    return Image(kind.name, width, height, encoded.getbuffer().nbytes, encoded)


def _whole(content: BinaryIO) -> bytes:
    content.seek(0, os.SEEK_SET)
    try:
        return content.read()
    finally:
        content.seek(0)


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
    outline, scans = outline_of_jpeg(data)
    picture = data[: outline.end]
    pixels = {_pixels(JPEG, with_filler(picture, scans, filler), outline) for filler in FILLERS}
    if len(pixels) > 1:
        raise NotAnImage("JPEG of which a part is missing")
    return outline


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
