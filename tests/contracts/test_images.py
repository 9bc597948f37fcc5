"""Images: Pillow. Memory has no adapter of its own, since nothing but decoding tells what an image is."""

import io
import random
import struct
import zipfile
import zlib
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from adapters.pillow.images import PillowImages
from core.ports.images import ImageFacts, Images, NotAnImage

JPEG_MODES = ["RGB", "L", "CMYK"]
PNG_MODES = ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"]
FOREIGN = ["GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM", "JPEG2000", "PCX", "TGA", "AVIF"]
MAX_PIXELS = 50_000_000


@pytest.fixture(scope="module")
def images() -> Images:
    return PillowImages()


def picture(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Something with edges, colours and noise in it, always the same."""
    image = Image.effect_noise(size, 60).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((10, 10, 60, 50), fill=(200, 40, 40))
    draw.line((0, 0, *size), fill=(20, 90, 200), width=3)
    return image.convert(mode)


def encoded(format: str, mode: str = "RGB", size: tuple[int, int] = (96, 64), **options: Any) -> bytes:
    file = io.BytesIO()
    picture(mode, size).save(file, format, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(extra: bytes, *, before: bytes = b"IEND") -> bytes:
    png = encoded("PNG")
    at = png.index(before) - 4
    return png[:at] + extra + png[at:]


async def refused(images: Images, content: bytes) -> bool:
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    try:
        await images.inspect(file)
    except NotAnImage:
        return file.tell() == 0
    return False


@pytest.mark.parametrize("mode", JPEG_MODES)
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}, {"optimize": True}])
async def test_a_jpeg_is_known(images: Images, mode: str, options: dict[str, Any]) -> None:
    content = encoded("JPEG", mode, (95, 63), **options)
    facts = await images.inspect(io.BytesIO(content))
    assert facts == ImageFacts("jpeg", 95, 63, len(content))
    assert (facts.extension, facts.content_type) == ("jpg", "image/jpeg")


@pytest.mark.parametrize("mode", PNG_MODES)
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"compress_level": 0}])
async def test_a_png_is_known(images: Images, mode: str, options: dict[str, Any]) -> None:
    content = encoded("PNG", mode, (95, 63), **options)
    facts = await images.inspect(io.BytesIO(content))
    assert facts == ImageFacts("png", 95, 63, len(content))
    assert (facts.extension, facts.content_type) == ("png", "image/png")


async def test_an_interlaced_png_is_known(images: Images) -> None:
    # Adam7 of a single pixel has one pass, which is the pixel itself.
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1))
    png = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\x00\x80")) + chunk(b"IEND", b"")
    assert (await images.inspect(io.BytesIO(png))).width == 1


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (1500, 1000)])
async def test_any_size_is_measured(images: Images, format: str, size: tuple[int, int]) -> None:
    facts = await images.inspect(io.BytesIO(encoded(format, "RGB", size)))
    assert (facts.width, facts.height) == size


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_an_upload_is_read_from_its_start_and_left_there(images: Images, format: str) -> None:
    content = encoded(format)
    with SpooledTemporaryFile(max_size=100) as upload:
        upload.write(content)
        facts = await images.inspect(cast(BinaryIO, upload))
        assert upload.tell() == 0
    assert facts.size == len(content)


async def test_metadata_is_no_obstacle(images: Images) -> None:
    exif = Image.Exif()
    exif[0x010E] = "A description. " * 4000
    exif[0x0112] = 6  # turned by 90 degrees; what counts are the pixels as they are stored
    noise = random.Random(1).randbytes(200_000)
    facts = await images.inspect(
        io.BytesIO(encoded("JPEG", exif=exif, icc_profile=noise, comment=b"hello", dpi=(300, 300)))
    )
    assert (facts.width, facts.height) == (96, 64)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "about the image " * 1000, zip=True)
    texts.add_itxt("Title", "제목", "ko", "Title")
    facts = await images.inspect(
        io.BytesIO(encoded("PNG", pnginfo=texts, exif=exif, icc_profile=noise, dpi=(300, 300)))
    )
    assert (facts.width, facts.height) == (96, 64)


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
async def test_what_is_no_image_is_refused(images: Images, content: bytes) -> None:
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


def a_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("payload.html", "<script>alert(1)</script>")
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(a_zip(), id="zip"),
        pytest.param(b"<script>alert(1)</script>", id="html"),
        pytest.param(b"\n", id="newline"),
        pytest.param(bytes(100_000) + b"x", id="behind padding"),
        pytest.param(encoded("PNG"), id="png"),
        pytest.param(encoded("JPEG"), id="jpeg"),
    ],
)
async def test_nothing_rides_along_behind_the_image(images: Images, format: str, tail: bytes) -> None:
    assert await refused(images, encoded(format) + tail)


@pytest.mark.parametrize("padding", [b"\x00", b"\x00" * 70_000, b"\xff", b"\xff" * 3 + b"\x00" * 12])
async def test_padding_behind_a_jpeg_is_nothing_but_behind_a_png_is_something(images: Images, padding: bytes) -> None:
    await images.inspect(io.BytesIO(encoded("JPEG") + padding))
    assert await refused(images, encoded("PNG") + padding)


async def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(images: Images) -> None:
    thumbnail = encoded("JPEG", size=(16, 16))
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00" + thumbnail
    facts = await images.inspect(io.BytesIO(encoded("JPEG", exif=exif)))
    assert (facts.width, facts.height) == (96, 64)


async def test_moving_images_are_refused(images: Images) -> None:
    file = io.BytesIO()
    picture().save(file, "PNG", save_all=True, append_images=[picture("L").convert("RGB").rotate(90)])
    assert await refused(images, file.getvalue())


async def test_a_jpeg_of_several_pictures_is_refused(images: Images) -> None:
    file = io.BytesIO()
    picture().save(file, "MPO", save_all=True, append_images=[picture()])
    assert await refused(images, file.getvalue())


def empty_png(width: int, height: int, *, data: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (2**31, 2**31), (50_000, 50_000), (7072, 7072)])
async def test_a_png_of_no_or_of_too_many_pixels_is_refused(images: Images, size: tuple[int, int]) -> None:
    assert await refused(images, empty_png(*size))


async def test_the_largest_image_is_decoded(images: Images) -> None:
    width, height = 10_000, 5_000
    row = b"\x00" + bytes(width)
    png = empty_png(width, height, data=row * height)
    assert len(png) < 100_000
    assert await images.inspect(io.BytesIO(png)) == ImageFacts("png", width, height, len(png))
    assert width * height == MAX_PIXELS


@pytest.mark.parametrize("size", [(0, 64), (96, 0), (65_000, 65_000), (7072, 7072)])
async def test_a_jpeg_of_no_or_of_too_many_pixels_is_refused(images: Images, size: tuple[int, int]) -> None:
    content = encoded("JPEG")
    at = content.index(b"\xff\xc0") + 5
    assert await refused(images, content[:at] + struct.pack(">HH", size[1], size[0]) + content[at + 4 :])


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(lambda data: chunk(b"zTXt", b"Comment\x00\x00" + data), id="zTXt"),
        pytest.param(lambda data: chunk(b"iTXt", b"Comment\x00\x01\x00\x00\x00" + data), id="iTXt"),
        pytest.param(lambda data: chunk(b"iCCP", b"profile\x00\x00" + data), id="iCCP"),
    ],
)
async def test_a_small_chunk_that_unpacks_to_a_large_one_is_refused(images: Images, before: bytes, bomb: Any) -> None:
    data = zlib.compress(bytes(100_000_000), 9)
    assert len(data) < 100_000
    assert await refused(images, png_with(bomb(data), before=before))


async def test_a_png_of_two_headers_is_refused(images: Images) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 64, 8, 2, 0, 0, 0))
    assert await refused(images, png_with(header, before=b"IDAT"))


async def test_a_jpeg_of_endless_scans_is_refused(images: Images) -> None:
    content = encoded("JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    scan = content[start:-2]
    assert await refused(images, content[:-2] + scan * 200 + content[-2:])


async def test_a_jpeg_of_endless_segments_is_refused(images: Images) -> None:
    content = encoded("JPEG")
    assert await refused(images, content[:2] + b"\xff\xe1\x00\x08Exif\x00\x00" * 100_000 + content[2:])


async def test_a_jpeg_without_pictures_is_refused(images: Images) -> None:
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
