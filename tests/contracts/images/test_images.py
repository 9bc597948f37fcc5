import io
import random
import struct
import zlib
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import pytest
from PIL import Image, PngImagePlugin

from core.ports.images import Images
from tests.contracts.images.steps import JPEG_MODES, empty_png, encoded, inspect, is_digest, measured, refused
from tests.support.photographs import chunk, drawn, galaxy_trailer

PNG_MODES = ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"]


FOREIGN = ["GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM", "JPEG2000", "PCX", "TGA", "AVIF"]


MAX_PIXELS = 50_000_000


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


async def test_the_largest_image_is_decoded(images: Images) -> None:
    width, height = 10_000, 5_000
    row = b"\x00" + bytes(width)
    png = empty_png(width, height, data=row * height)
    assert len(png) < 100_000
    assert measured(await inspect(images, io.BytesIO(png))) == ("png", width, height, len(png))
    assert width * height == MAX_PIXELS
