"""Copies of images for publication: Pillow."""

import io
from typing import Any

import pytest
from PIL import Image

from core.ports.images import Images, NotAnImage
from tests.contracts.images.steps import ANN, colours_at, copied, encoded, is_digest, near
from tests.support import photographs
from tests.support.photographs import drawn, galaxy_trailer, parts_of


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_a_copy_has_no_metadata(images: Images, format: str) -> None:
    content = photographs.with_metadata(drawn(), format)
    content += galaxy_trailer() if format == "JPEG" else b"behind"
    assert [secret for secret in photographs.SECRETS if secret in content] != []
    copy = await copied(images, content)
    stored = copy.content.read()
    assert set(parts_of(stored)) <= ALLOWED_PARTS
    assert not any(secret in stored for secret in photographs.SECRETS)
    with Image.open(io.BytesIO(stored)) as image:
        assert (dict(image.getexif()), image.info.get("icc_profile")) == ({}, None)
        image.load()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


ALLOWED_PARTS = {b"IHDR", b"IDAT", b"IEND", b"\xe0", b"\xdb", b"\xc0", b"\xc4"}
"""Of a PNG: header, pixels, end; of a JPEG: JFIF's own header, tables and frame."""


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_copy_is_upright(images: Images, format: str, orientation: int) -> None:
    upright = Image.new("RGB", (64, 32), "white")
    upright.paste("red", (0, 0, 16, 16))
    upright.paste("blue", (48, 16, 64, 32))
    held = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose's numbers of what undoes each orientation
    stored = upright.transpose(Image.Transpose(held[orientation])) if orientation > 1 else upright
    copy = await copied(images, photographs.with_metadata(stored, format, orientation=orientation))
    assert (copy.width, copy.height) == (64, 32)
    red, blue, white = colours_at(copy, (4, 4), (60, 28), (30, 16))
    assert near(red, (255, 0, 0), 8)
    assert near(blue, (0, 0, 255), 8)
    assert near(white, (255, 255, 255))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_a_copy_is_in_srgb(images: Images, format: str) -> None:
    p3 = Image.new("RGB", (32, 32), (200, 100, 50))
    copy = await copied(images, photographs.encoded(p3, format, icc_profile=photographs.profile()))
    [colour] = colours_at(copy, (16, 16))
    assert near(colour, (216, 92, 24), 6)  # by the matrices and curves of both spaces: P3 has the wider red

    gray = Image.new("L", (32, 32), 128)
    copy = await copied(images, photographs.encoded(gray, format, icc_profile=photographs.profile(gamma=1.0)))
    [colour] = colours_at(copy, (16, 16))
    assert near(colour, (188, 188, 188), 6)


@pytest.mark.parametrize("options", [{}, {"icc_profile": photographs.profile()}], ids=["plain", "with an RGB profile"])
async def test_a_copy_of_a_cmyk_jpeg_is_rgb(images: Images, options: dict[str, Any]) -> None:
    inks = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    copy = await copied(images, photographs.encoded(inks, "JPEG", **options))
    with Image.open(copy.content) as image:
        assert image.mode == "RGB"
        assert near(image.getpixel((9, 9)), (255, 0, 0), 8)  # type: ignore[arg-type]


async def test_a_copy_of_a_png_has_8_bits_and_keeps_transparency(images: Images) -> None:
    deep = Image.new("I;16", (32, 32), 0x80FF)
    copy = await copied(images, photographs.encoded(deep, "PNG"))
    with Image.open(copy.content) as image:
        assert (image.mode, image.getpixel((3, 3))) == ("L", 0x80)

    glass = Image.new("RGBA", (32, 32), (200, 100, 50, 77))
    for mode, wanted in (("RGBA", (200, 100, 50, 77)), ("LA", (124, 124, 124, 77))):
        copy = await copied(images, photographs.encoded(glass.convert(mode), "PNG"))
        [found] = colours_at(copy, (3, 3))
        assert near(found, wanted, 1)

    palette = Image.new("RGB", (32, 32), (200, 100, 50)).quantize(4)
    copy = await copied(images, photographs.encoded(palette, "PNG", transparency=0))
    assert colours_at(copy, (3, 3))[0][3] == 0
    copy = await copied(images, photographs.encoded(palette, "PNG"))
    assert near(colours_at(copy, (3, 3))[0], (200, 100, 50, 255), 2)
    copy = await copied(images, photographs.encoded(Image.new("1", (32, 32), 1), "PNG"))
    assert colours_at(copy, (3, 3)) == [(255, 255, 255, 255)]


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("size", "wanted"), [((2000, 1000), (512, 256)), ((600, 1200), (256, 512)), ((300, 200), (300, 200))]
)
async def test_a_copy_can_be_smaller(
    images: Images, format: str, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    copy = await copied(images, encoded(format, "RGB", size), max_side=512)
    assert (copy.width, copy.height, copy.format) == (*wanted, format.lower())
    copy.content.seek(0)
    assert is_digest(copy)


async def test_a_non_image_file_cannot_be_copied(images: Images) -> None:
    for content in (b"", b"no image", encoded("GIF"), encoded("PNG")[:60]):
        with pytest.raises(NotAnImage):
            await images.reencode(io.BytesIO(content), user=ANN)


@pytest.mark.parametrize("profile", [b"no profile", photographs.profile()[:200]])
async def test_an_unusable_colour_profile_keeps_the_colours(images: Images, profile: bytes) -> None:
    image = Image.new("RGB", (32, 32), (200, 100, 50))
    copy = await copied(images, photographs.encoded(image, "JPEG", icc_profile=profile))
    [colour] = colours_at(copy, (16, 16))
    assert near(colour, (200, 100, 50))


# --- smaller copies ---------------------------------------------------------------------------------------------------

SIDES = (32, 64)


async def shrunk(images: Images, content: bytes) -> list[tuple[int, str, Image.Image]]:
    """The side, format and pixels of each smaller copy, made from a copy as they all are."""
    copy = await copied(images, content)
    copy.content.seek(0)
    smaller = await images.shrink(copy.content, user=ANN, sides=SIDES)
    assert copy.content.tell() == 0
    found: list[tuple[int, str, Image.Image]] = []
    for one in smaller:
        image = Image.open(one.content)
        image.load()
        assert image.format == one.format.upper()
        found.append((one.side, one.format, image))
    return found


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("size", "small", "large"),
    [((400, 200), (32, 16), (64, 32)), ((90, 180), (16, 32), (32, 64)), ((40, 20), (32, 16), (40, 20))],
)
async def test_smaller_copies_have_the_proportions_and_are_never_enlarged(
    images: Images, format: str, size: tuple[int, int], small: tuple[int, int], large: tuple[int, int]
) -> None:
    found = await shrunk(images, encoded(format, "RGB", size))
    assert [(side, kind, image.size) for side, kind, image in found] == [
        (32, "webp", small),
        (32, "jpeg", small),
        (64, "webp", large),
        (64, "jpeg", large),
    ]


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_smaller_copies_are_upright_in_srgb_and_without_metadata(images: Images, format: str) -> None:
    held = Image.new("RGB", (60, 120), (200, 100, 50))  # on its side
    for _, _, image in await shrunk(images, photographs.with_metadata(held, format, orientation=6)):
        assert image.width == 2 * image.height
        assert (dict(image.getexif()), image.info.get("icc_profile"), image.info.get("xmp")) == ({}, None, None)
    p3 = photographs.encoded(Image.new("RGB", (60, 60), (200, 100, 50)), format, icc_profile=photographs.profile())
    for _, _, image in await shrunk(images, p3):
        assert near(image.convert("RGB").getpixel((9, 9)), (216, 92, 24), 8)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "P", "1"])
async def test_smaller_copies_of_every_kind_of_png(images: Images, mode: str) -> None:
    for _, _, image in await shrunk(images, encoded("PNG", mode, (200, 100))):
        assert max(image.size) in SIDES


async def test_a_smaller_jpeg_of_a_transparent_image_has_a_white_background(images: Images) -> None:
    for mode, seen in (("RGBA", (200, 100, 50)), ("LA", (124, 124, 124))):
        glass = Image.new("RGBA", (100, 100), (200, 100, 50, 0))
        glass.paste((200, 100, 50, 255), (0, 0, 50, 100))
        found = await shrunk(images, photographs.encoded(glass.convert(mode), "PNG"))
        for side, format, image in found:
            left, right = image.convert("RGBA").getpixel((3, 9)), image.convert("RGBA").getpixel((side - 4, 9))
            assert near(left, (*seen, 255), 8)  # type: ignore[arg-type]
            if format == "jpeg":
                assert near(right, (255, 255, 255, 255), 8)  # type: ignore[arg-type]
            else:
                assert near(right[3:], (0,), 8)  # type: ignore[index]


async def test_a_non_image_file_cannot_be_scaled(images: Images) -> None:
    for content in (b"no image", encoded("PNG")[:60]):
        with pytest.raises(NotAnImage):
            await images.shrink(io.BytesIO(content), user=ANN, sides=SIDES)
