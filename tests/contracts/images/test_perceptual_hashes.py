"""Perceptual hashes of images: near for copies, far for others."""

import io
from random import Random

import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from core.ports.images import Images
from core.styles.version import NEAR
from tests.contracts.images.steps import inspect
from tests.support import photographs


def scene(number: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture with areas, lines and light; another one for each number."""
    chance = Random(number)
    image = Image.new("RGB", size, (230, 220, 200))
    draw = ImageDraw.Draw(image)
    for _ in range(9):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        colour = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        draw.ellipse([x - 90, y - 70, x + 90, y + 70], fill=colour)
        draw.line([x, 0, chance.randrange(size[0]), size[1]], fill="black", width=7)
    return image.filter(ImageFilter.GaussianBlur(2))


async def hash_of(images: Images, content: bytes) -> int | None:
    return (await inspect(images, io.BytesIO(content))).perceptual_hash


async def distance(images: Images, content: bytes, other: bytes) -> int:
    one, two = await hash_of(images, content), await hash_of(images, other)
    assert one is not None
    assert two is not None
    return (one ^ two).bit_count()


async def test_hashes_of_copies_are_near(images: Images) -> None:
    for number in range(5):
        original = scene(number)
        copies = {
            "JPEG": photographs.encoded(original, "JPEG", quality=90),
            "strongly compressed": photographs.encoded(original, "JPEG", quality=25),
            "progressive": photographs.encoded(original, "JPEG", progressive=True),
            "smaller": photographs.encoded(original.resize((320, 240)), "PNG"),
            "larger": photographs.encoded(original.resize((900, 675)), "JPEG"),
            "stretched": photographs.encoded(original.resize((512, 512)), "PNG"),
            "grey": photographs.encoded(original.convert("L"), "PNG"),
            "16 bits": photographs.encoded(
                original.convert("L").convert("I").point(lambda value: value * 256).convert("I;16"), "PNG"
            ),
            "palette": photographs.encoded(original.quantize(128), "PNG"),
            "opaque": photographs.encoded(original.convert("RGBA"), "PNG"),
            "CMYK": photographs.encoded(original.convert("CMYK"), "JPEG"),
            "brighter": photographs.encoded(ImageEnhance.Brightness(original).enhance(1.1), "PNG"),
            "on its side": photographs.with_metadata(
                original.transpose(Image.Transpose.ROTATE_90), "JPEG", orientation=6
            ),
        }
        content = photographs.encoded(original, "PNG")
        found = {name: await distance(images, content, copy) for name, copy in copies.items()}
        assert {name: bits for name, bits in found.items() if bits > NEAR} == {}


async def test_hashes_of_other_images_are_far(images: Images) -> None:
    contents = [photographs.encoded(scene(number), "PNG") for number in range(8)]
    for place, content in enumerate(contents):
        for other in contents[:place]:
            assert await distance(images, content, other) > NEAR


async def test_transparency_counts_as_white(images: Images) -> None:
    drawing = scene(1).convert("RGBA")
    drawing.paste((0, 0, 0, 0), (0, 0, 300, 480))
    white = Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing).convert("RGB")

    assert await distance(images, photographs.encoded(drawing, "PNG"), photographs.encoded(white, "PNG")) <= NEAR


async def test_a_jpeg_with_padding_has_a_hash(images: Images) -> None:
    """libjpeg warns of the bytes, so that it is decoded in another way."""
    content = photographs.encoded(scene(2), "JPEG")
    assert content.endswith(b"\xff\xd9")
    padded = content[:-2] + b"\x00\x00" + content[-2:]

    assert await distance(images, content, padded) <= NEAR


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_an_image_without_detail_has_no_hash(images: Images, format: str) -> None:
    plain = Image.new("RGB", (640, 480), (200, 30, 30))
    gradient = Image.linear_gradient("L").resize((640, 480))
    for image in (plain, gradient):
        assert await hash_of(images, photographs.encoded(image, format)) is None
