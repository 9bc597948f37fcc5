"""Images: Pillow. There is no in-memory adapter, since only decoding shows what an image is."""

import io
import random
import re
import struct
import zlib
from collections.abc import AsyncIterator
from functools import cache
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import pytest
from PIL import Image, PngImagePlugin

from adapters.pillow.images import PillowImages
from core.ports.images import Images, NotAnImage
from tests.contracts.images import RUNNERS, encoded, inspect, is_digest, measured
from tests.support import photographs
from tests.support.photographs import a_zip, chunk, drawn, galaxy_trailer, jpeg_with, segment

JPEG_MODES = ["RGB", "L", "CMYK"]
PNG_MODES = ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"]
FOREIGN = ["GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM", "JPEG2000", "PCX", "TGA", "AVIF"]
MAX_PIXELS = 50_000_000


@pytest.fixture(scope="module", params=RUNNERS)
async def images(request: pytest.FixtureRequest) -> AsyncIterator[Images]:
    images = PillowImages(runner=request.param)
    yield images
    await images.close()


def png_with(extra: bytes, *, before: bytes = b"IEND") -> bytes:
    return photographs.png_with(encoded("PNG"), extra, before=before)


async def refused(images: Images, content: bytes) -> bool:
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    try:
        await inspect(images, file)
    except NotAnImage:
        return file.tell() == 0
    return False


@pytest.mark.parametrize("mode", JPEG_MODES)
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}, {"optimize": True}])
async def test_a_jpeg_is_recognised(images: Images, mode: str, options: dict[str, Any]) -> None:
    content = encoded("JPEG", mode, (95, 63), **options)
    image = await inspect(images, io.BytesIO(content))
    assert measured(image) == ("jpeg", 95, 63, len(content))
    assert (image.extension, image.stored_as("key").content_type) == ("jpg", "image/jpeg")


@pytest.mark.parametrize("mode", PNG_MODES)
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"compress_level": 0}])
async def test_a_png_is_recognised(images: Images, mode: str, options: dict[str, Any]) -> None:
    content = encoded("PNG", mode, (95, 63), **options)
    image = await inspect(images, io.BytesIO(content))
    assert measured(image) == ("png", 95, 63, len(content))
    assert (image.extension, image.stored_as("key").content_type) == ("png", "image/png")


def interlaced(size: tuple[int, int], *, rows: int) -> bytes:
    """Gray, of so many bytes: each row has its filter's byte and its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")


# Adam7's passes of 8 x 8: 1, 1, 2, 4, 8, 16 and 32 pixels in 1, 1, 1, 2, 2, 4 and 4 rows.
@pytest.mark.parametrize(("size", "rows"), [((1, 1), 2), ((8, 8), 64 + 15), ((5, 3), 15 + 7)])
async def test_an_interlaced_png_is_recognised(images: Images, size: tuple[int, int], rows: int) -> None:
    image = await inspect(images, io.BytesIO(interlaced(size, rows=rows)))
    assert (image.width, image.height) == size
    assert await refused(images, interlaced(size, rows=rows - 1))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (1500, 1000)])
async def test_dimensions_are_measured(images: Images, format: str, size: tuple[int, int]) -> None:
    image = await inspect(images, io.BytesIO(encoded(format, "RGB", size)))
    assert (image.width, image.height) == size


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_an_upload_is_read_from_its_start_and_rewound(images: Images, format: str) -> None:
    content = encoded(format)
    with SpooledTemporaryFile(max_size=100) as upload:
        upload.write(content)
        image = await inspect(images, cast(BinaryIO, upload))
        assert upload.tell() == 0
    assert image.size == len(content)


async def test_images_with_metadata_are_accepted(images: Images) -> None:
    exif = Image.Exif()
    exif[0x010E] = "A description. " * 4000
    exif[0x0112] = 6  # turned by 90 degrees; what counts are the pixels as they are stored
    noise = random.Random(1).randbytes(200_000)
    image = await inspect(
        images, io.BytesIO(encoded("JPEG", exif=exif, icc_profile=noise, comment=b"hello", dpi=(300, 300)))
    )
    assert (image.width, image.height) == (96, 64)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "about the image " * 1000, zip=True)
    texts.add_itxt("Title", "제목", "ko", "Title")
    image = await inspect(
        images, io.BytesIO(encoded("PNG", pnginfo=texts, exif=exif, icc_profile=noise, dpi=(300, 300)))
    )
    assert (image.width, image.height) == (96, 64)


@pytest.mark.parametrize("format", FOREIGN)
async def test_other_formats_are_refused_whatever_their_name(images: Images, format: str) -> None:
    assert await refused(images, encoded(format))


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


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(galaxy_trailer(), id="galaxy"),
        pytest.param(b"\n", id="newline"),
        pytest.param(b"\x00" * 70_000, id="zeros"),
        pytest.param(b"\xff" * 3 + b"\x00" * 12, id="padding"),
        pytest.param(b"\x00\x00\x00\x18ftypmp42" + random.Random(1).randbytes(200_000), id="video"),
        pytest.param(encoded("PNG"), id="png"),
        pytest.param(encoded("JPEG"), id="jpeg"),
    ],
)
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_data_that_phones_append_is_ignored(images: Images, format: str, tail: bytes) -> None:
    content = encoded(format)
    image = await inspect(images, io.BytesIO(content + tail))
    assert measured(image) == (format.lower(), 96, 64, len(content))
    assert image.content.read() == content
    image.content.seek(0)
    assert is_digest(image)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
async def test_the_first_image_of_an_mpo_is_used(images: Images, options: dict[str, Any]) -> None:
    file = io.BytesIO()
    drawn().save(file, "MPO", save_all=True, append_images=[drawn("L").convert("RGB")], **options)
    content = file.getvalue()
    image = await inspect(images, io.BytesIO(content))
    assert (image.width, image.height) == (96, 64)
    assert content[image.size - 2 : image.size + 2] == b"\xff\xd9\xff\xd8"
    assert (await inspect(images, io.BytesIO(content[: image.size]))).size == image.size
    Image.open(io.BytesIO(content[: image.size])).load()


async def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(images: Images) -> None:
    thumbnail = encoded("JPEG", size=(16, 16))
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00" + thumbnail
    image = await inspect(images, io.BytesIO(encoded("JPEG", exif=exif)))
    assert (image.width, image.height) == (96, 64)


async def test_animated_images_are_refused(images: Images) -> None:
    file = io.BytesIO()
    drawn().save(file, "PNG", save_all=True, append_images=[drawn("L").convert("RGB").rotate(90)])
    assert await refused(images, file.getvalue())


def empty_png(width: int, height: int, *, data: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (2**31, 2**31), (50_000, 50_000), (7072, 7072)])
async def test_a_png_without_or_with_too_many_pixels_is_refused(images: Images, size: tuple[int, int]) -> None:
    assert await refused(images, empty_png(*size))


async def test_the_largest_image_is_decoded(images: Images) -> None:
    width, height = 10_000, 5_000
    row = b"\x00" + bytes(width)
    png = empty_png(width, height, data=row * height)
    assert len(png) < 100_000
    assert measured(await inspect(images, io.BytesIO(png))) == ("png", width, height, len(png))
    assert width * height == MAX_PIXELS


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
