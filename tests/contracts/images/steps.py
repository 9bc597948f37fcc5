"""What the tests of images share."""

import io
import struct
import zlib
from hashlib import sha256
from typing import Any, BinaryIO

import pytest
from PIL import Image

from core.identifiers import UserId
from core.ports import images as port
from core.ports.images import Images, NotAnImage
from tests.support import photographs
from tests.support.inline import Inline
from tests.support.photographs import chunk, drawn

ANN = UserId(1)
JPEG_MODES = ["RGB", "L", "CMYK"]
RUNNERS = [pytest.param(None, id="in workers"), pytest.param(Inline(), id="inline")]


def encoded(format: str, mode: str = "RGB", size: tuple[int, int] = (96, 64), **options: Any) -> bytes:
    return photographs.encoded(drawn(mode, size), format, **options)


def measured(image: port.Image) -> tuple[str, int, int, int]:
    return image.format, image.width, image.height, image.size


def is_digest(image: port.Image) -> bool:
    """Whether its digest is that of its content, which is read."""
    return image.digest == sha256(image.content.read()).digest()


def colours_at(copy: port.Image, *places: tuple[int, int]) -> list[tuple[int, ...]]:
    with Image.open(copy.content) as image:
        return [image.convert("RGBA").getpixel(place) for place in places]  # type: ignore[misc]


def near(found: tuple[int, ...], wanted: tuple[int, ...], by: int = 4) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=False))


async def inspect(images: Images, content: BinaryIO) -> port.Image:
    return await images.inspect(content, user=ANN)


async def copied(images: Images, content: bytes, *, max_side: int | None = None) -> port.Image:
    file = io.BytesIO(content)
    await inspect(images, file)
    copy = await images.reencode(file, user=ANN, max_side=max_side)
    assert file.tell() == copy.content.tell() == 0
    assert measured(await inspect(images, copy.content)) == measured(copy)
    return copy


async def refused(images: Images, content: bytes) -> bool:
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    try:
        await inspect(images, file)
    except NotAnImage:
        return file.tell() == 0
    return False


def empty_png(width: int, height: int, *, data: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
