"""Copies of images for publication: pixels only, upright, in sRGB."""

from collections.abc import Iterator
from io import BytesIO
from typing import Literal, cast

from PIL import Image, ImageCms
from PIL.ImageFile import ImageFile

QUALITY = 90
"""JPEG quality as in libjpeg."""
SHRUNK: dict[Literal["webp", "jpeg"], dict[str, int | bool]] = {
    "webp": {"quality": 80},
    "jpeg": {"quality": 80, "progressive": True, "optimize": True},
}
"""How smaller copies are encoded."""
ORIENTATION = 0x0112
"""The EXIF tag of the image's orientation (EXIF 2.32, 4.6.4)."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SRGB = ImageCms.createProfile("sRGB")
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""By the colour space of a profile."""


def copy_of(image: ImageFile, *, format: Literal["jpeg", "png"], max_side: int | None) -> tuple[BytesIO, int, int]:
    """The encoded copy, its width and its height. `image` is opened, and may have been loaded."""
    if max_side is not None:
        image.draft(None, (max_side, max_side))  # a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size
    image.load()
    orientation, profile = orientation_of(image), image.info.get("icc_profile")
    plain = eight_bit(image)
    if max_side is not None:  # before the colour conversion, which costs memory
        plain.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    upright = turned_upright(_in_srgb(plain, profile), orientation)
    upright.info = {}  # encoders would write the comments, profiles and resolutions in it
    encoded = BytesIO()
    upright.save(encoded, format, **({"quality": QUALITY} if format == "jpeg" else {}))
    encoded.seek(0)
    return encoded, upright.width, upright.height


def shrunk(image: ImageFile, sides: tuple[int, ...]) -> Iterator[tuple[int, Literal["webp", "jpeg"], bytes]]:
    """Each side, format and encoded copy. `image` is one that `copy_of` encoded: upright, in sRGB, 8 bits a channel."""
    image.draft(None, (max(sides), max(sides)))
    image.load()
    image.info = {}
    for side in sides:
        smaller = image.copy()
        smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
        for format, options in SHRUNK.items():
            encoded = BytesIO()
            (smaller if format == "webp" else on_white(smaller)).save(encoded, format, **options)
            yield side, format, encoded.getvalue()


def on_white(image: Image.Image) -> Image.Image:
    """JPEG has no transparency."""
    if image.mode not in ("LA", "RGBA"):
        return image
    colours = image.convert(image.mode.removesuffix("A"))
    white = Image.new(colours.mode, image.size, "white")
    return Image.composite(colours, white, image.getchannel("A"))


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def orientation_of(image: ImageFile) -> int:
    try:
        return cast("int", image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata: keep the orientation as stored
        return 1


def eight_bit(image: Image.Image) -> Image.Image:
    """The image in one of the modes L, LA, RGB, RGBA and CMYK."""
    if image.mode.startswith("I;16"):
        # Pillow would clip values above 255. The high byte is what it uses of 16-bit colours itself.
        high = image.tobytes()[0 if image.mode.endswith("B") else 1 :: 2]
        return Image.frombytes("L", image.size, high)
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    if "transparency" in image.info and image.mode in ("L", "RGB"):
        return image.convert(f"{image.mode}A")
    return image if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in L, LA, RGB or RGBA. Without a usable profile, colours are assumed to be sRGB."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colours = image.convert(image.mode.removesuffix("A")) if alpha else image
    if profile:
        colours = _converted(colours, profile)
    if colours.mode == "CMYK":
        colours = colours.convert("RGB")
    if alpha:
        colours = colours.copy() if colours is image else colours
        colours.putalpha(alpha)
    return colours


def _converted(colours: Image.Image, profile: bytes) -> Image.Image:
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = _MODES[opened.profile.xcolor_space]
        if mode == "CMYK" or colours.mode == "CMYK":
            matches = mode == colours.mode
        else:
            matches = mode == "RGB" or colours.mode == "L"
        if not matches:
            return colours
        source = colours if colours.mode == mode else colours.convert(mode)
        converted = ImageCms.profileToProfile(source, opened, _SRGB, outputMode="RGB")
    except Exception:  # profiles are broken in many ways; keep the colours as stored
        return colours
    return converted or colours
