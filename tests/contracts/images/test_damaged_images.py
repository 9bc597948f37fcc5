"""Damaged, ambiguous and costly image files are refused: Pillow."""

import io
import re
import struct
import zlib
from functools import cache
from typing import Any

import pytest
from PIL import Image

from core.ports.images import Images
from tests.contracts.images.steps import JPEG_MODES, empty_png, encoded, inspect, refused
from tests.support import photographs
from tests.support.photographs import a_zip, chunk, jpeg_with, segment


def png_with(extra: bytes, *, before: bytes = b"IEND") -> bytes:
    return photographs.png_with(encoded("PNG"), extra, before=before)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x00\xff\xd9",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        b'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="600"/>',
        b"<!doctype html><script>alert(1)</script>",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100),
        b"%PDF-1.7\n",
        b"PK\x03\x04" + bytes(100),
    ],
)
async def test_a_non_image_file_is_refused(images: Images, content: bytes) -> None:
    assert await refused(images, content)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_a_truncated_image_is_refused_wherever_it_ends(images: Images, format: str) -> None:
    content = encoded(format, size=(40, 30))
    for end in range(len(content)):
        assert await refused(images, content[:end]), f"the first {end} of {len(content)} bytes"


async def test_a_png_is_refused_when_any_bit_is_wrong(images: Images) -> None:
    content = encoded("PNG", size=(24, 16))
    for position in range(8, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        assert await refused(images, bytes(damaged)), f"byte {position}"


def scans_of(jpeg: bytes) -> list[int]:
    """Where the compressed data of each scan begins."""
    starts = [found.start() for found in re.finditer(rb"\xff\xda", jpeg)]
    return [start + 2 + struct.unpack_from(">H", jpeg, start + 2)[0] for start in starts]


@pytest.mark.parametrize("mode", JPEG_MODES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimize": True},
        {"quality": 100, "subsampling": 0},
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 2},
        {"progressive": True},
        {"progressive": True, "restart_marker_rows": 1},
    ],
    ids=str,
)
async def test_a_truncated_jpeg_with_an_end_marker_is_refused(
    images: Images, mode: str, options: dict[str, Any]
) -> None:
    content = encoded("JPEG", mode, (32, 24), **options)
    whole = len(content) - 2
    # Every byte of the last 40, and before them every seventh. The very last one may hold a bit that says nothing.
    for end in [*range(scans_of(content)[0], whole - 40, 7), *range(max(whole - 40, scans_of(content)[0]), whole - 1)]:
        if content[end - 1] != 0xFF:  # half of a marker
            assert await refused(images, content[:end] + b"\xff\xd9"), f"{end} of {len(content)} bytes"


@pytest.mark.parametrize("color", ["teal", "black", "gray"])
@pytest.mark.parametrize(
    "options", [{}, {"optimize": True}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str
)
async def test_a_truncated_jpeg_of_one_colour_is_refused(images: Images, color: str, options: dict[str, Any]) -> None:
    content = photographs.encoded(Image.new("RGB", (512, 512), color), "JPEG", **options)
    await inspect(images, io.BytesIO(content))
    for share in (0.02, 0.3, 0.5, 0.9):
        for start in scans_of(content):
            end = start + int((len(content) - 2 - start) * share)
            if len(content) - end < 4:  # the last scan is one code for all blocks; half of it is as good as all of it
                continue
            assert await refused(images, content[:end].rstrip(b"\xff") + b"\xff\xd9"), share


async def test_a_jpeg_with_a_gap_is_refused(images: Images) -> None:
    content = encoded("JPEG", size=(200, 160), restart_marker_rows=1)
    third, fourth = content.index(b"\xff\xd2"), content.index(b"\xff\xd3")
    await inspect(images, io.BytesIO(content))
    for missing in (2, 20, fourth - third - 2):
        assert await refused(images, content[: fourth - missing] + content[fourth:]), missing
    assert await refused(images, content[:third] + content[fourth:])


async def test_a_progressive_jpeg_without_its_last_scans_is_refused(images: Images) -> None:
    content = encoded("JPEG", progressive=True)
    for scan in range(1, content.count(b"\xff\xda")):
        end = -1
        for _ in range(scan + 1):
            end = content.index(b"\xff\xda", end + 1)
        tables = content.rfind(b"\xff\xc4", 0, end)
        assert await refused(images, content[:tables] + b"\xff\xd9"), f"{scan} scans"


async def test_a_truncated_png_with_valid_checksums_is_refused(images: Images) -> None:
    content = encoded("PNG", size=(40, 30))
    begin = content.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", content[begin - 8 : begin - 4])
    for kept in range(length):
        cut = content[: begin - 8] + chunk(b"IDAT", content[begin : begin + kept]) + chunk(b"IEND", b"")
        assert await refused(images, cut), f"{kept} of {length} bytes"


async def test_a_png_with_data_behind_its_pixels_is_refused(images: Images) -> None:
    assert await refused(images, empty_png(8, 8, data=bytes(9 * 8 + 1)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(9 * 8)) + b"more")
    assert await refused(images, b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))


FOREIGN_DATA = [
    pytest.param(a_zip(), id="zip"),
    pytest.param(a_zip() + bytes(100), id="zip with padding"),
    pytest.param(b"%PDF-1.7\n1 0 obj", id="pdf"),
    pytest.param(b"  <!DOCTYPE html><p>hello", id="html"),
    pytest.param(b"<script>alert(1)</script>", id="script"),
    pytest.param(b"<?php system($_GET[0]); ?>", id="php"),
    pytest.param(b"Rar!\x1a\x07\x01\x00", id="rar"),
    pytest.param(b"7z\xbc\xaf\x27\x1c\x00\x04", id="7z"),
]


@pytest.mark.parametrize("foreign", FOREIGN_DATA)
async def test_a_polyglot_is_refused(images: Images, foreign: bytes) -> None:
    for place, content in {
        "private chunk": png_with(chunk(b"prVt", foreign)),
        "text chunk": png_with(chunk(b"tEXt", b"Comment\0" + foreign), before=b"IDAT"),
        "behind a PNG": encoded("PNG") + foreign,
        "COM": jpeg_with(encoded("JPEG"), segment(0xFE, foreign)),
        "APP13": jpeg_with(encoded("JPEG"), segment(0xED, foreign)),
        "EXIF": jpeg_with(encoded("JPEG"), segment(0xE1, b"Exif\0\0" + foreign)),
        "behind a JPEG": encoded("JPEG") + foreign,
        "behind padding": encoded("JPEG") + bytes(100_000) + foreign,
    }.items():
        assert await refused(images, content), place


async def test_an_archive_among_the_pixels_is_refused(images: Images) -> None:
    row = b"\0" + a_zip()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", len(row) - 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(row, 0))
    assert a_zip() in pixels
    assert await refused(images, b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (2**31, 2**31), (50_000, 50_000), (7072, 7072)])
async def test_a_png_without_or_with_too_many_pixels_is_refused(images: Images, size: tuple[int, int]) -> None:
    assert await refused(images, empty_png(*size))


@pytest.mark.parametrize("size", [(0, 64), (96, 0), (65_000, 65_000), (7072, 7072)])
async def test_a_jpeg_without_or_with_too_many_pixels_is_refused(images: Images, size: tuple[int, int]) -> None:
    content = encoded("JPEG")
    at = content.index(b"\xff\xc0") + 5
    assert await refused(images, content[:at] + struct.pack(">HH", size[1], size[0]) + content[at + 4 :])


@cache
def small_and_large() -> bytes:
    """100 MB in less than 100 kB."""
    data = zlib.compress(bytes(100_000_000), 9)
    assert len(data) < 100_000
    return data


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(lambda data: chunk(b"zTXt", b"Comment\x00\x00" + data), id="zTXt"),
        pytest.param(lambda data: chunk(b"iTXt", b"Comment\x00\x01\x00\x00\x00" + data), id="iTXt"),
        pytest.param(lambda data: chunk(b"iCCP", b"profile\x00\x00" + data), id="iCCP"),
    ],
)
async def test_a_png_decompression_bomb_is_refused(images: Images, before: bytes, bomb: Any) -> None:
    assert await refused(images, png_with(bomb(small_and_large()), before=before))


async def test_a_png_with_two_headers_is_refused(images: Images) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 64, 8, 2, 0, 0, 0))
    assert await refused(images, png_with(header, before=b"IDAT"))


async def test_a_jpeg_with_too_many_scans_is_refused(images: Images) -> None:
    content = encoded("JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    scan = content[start:-2]
    assert await refused(images, content[:-2] + scan * 200 + content[-2:])


async def test_a_jpeg_with_too_costly_scans_is_refused(images: Images) -> None:
    content = photographs.encoded(Image.new("L", (5000, 5000), "gray"), "JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    scan = content[start:-2]
    assert await refused(images, content[:-2] + scan * 60 + content[-2:])
    assert not await refused(images, content[:-2] + scan * 2 + content[-2:])


async def test_a_jpeg_with_too_many_segments_is_refused(images: Images) -> None:
    content = encoded("JPEG")
    assert await refused(images, content[:2] + b"\xff\xe1\x00\x08Exif\x00\x00" * 100_000 + content[2:])


async def test_a_jpeg_without_image_data_is_refused(images: Images) -> None:
    content = encoded("JPEG")
    start = content.index(b"\xff\xda")
    assert await refused(images, content[:start] + b"\xff\xd9")
    frame = content.index(b"\xff\xc0")
    length = struct.unpack(">H", content[frame + 2 : frame + 4])[0] + 2
    assert await refused(images, content[:frame] + content[frame + length :])
    assert await refused(images, content[: frame + length] + content[frame:])


async def test_data_between_the_segments_of_a_jpeg_is_refused(images: Images) -> None:
    content = encoded("JPEG", progressive=True)
    for smuggled in (b"x", b"\xff\x00", b"\xff\x01\x00\x04ab", b"\xff\xd0\x00\x04ab", b"\xff\xd8\x00\x04ab"):
        assert await refused(images, content[:2] + smuggled + content[2:]), smuggled
    between_scans = content.rindex(b"\xff\xc4")
    for smuggled in (b"\xff\x01\x00\x04ab", b"\xff\xd8\x00\x04ab"):
        assert await refused(images, content[:between_scans] + smuggled + content[between_scans:]), smuggled
