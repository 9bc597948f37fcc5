"""Stamps the artist's signature on an image."""

from io import BytesIO

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

from core.tasks.model import SignatureConfig

_WIDTHS = {"small": 0.16, "medium": 0.26, "large": 0.38}
"""Shares of the image's width."""
_MAX_HEIGHT = 0.25
_MARGIN = 0.035
_LEGIBLE = 90
"""Minimum difference in grey levels between the ink and its background."""


def sign(picture: Image.Image, signature: bytes, config: SignatureConfig) -> None:
    """Stamp a signature (JPEG or PNG) onto an RGB image.

    Only the ink is used: an opaque file's paper becomes transparent. Ink without contrast to its background gets a
    light or dark glow. Raises OSError if the signature is not an image.
    """
    with Image.open(BytesIO(signature), formats=["JPEG", "PNG"]) as image:
        stamp = image.convert("RGBA")
    stamp.putalpha(_ink(stamp))
    stamp = stamp.crop(stamp.getchannel("A").point(_solid).getbbox() or (0, 0, *stamp.size))
    share = _WIDTHS.get(config.size, _WIDTHS["medium"])
    box = round(picture.width * share), round(picture.height * _MAX_HEIGHT)
    stamp = ImageOps.contain(stamp, box, Image.Resampling.LANCZOS)
    place = _place(picture.size, stamp.size, config.position)
    opacity = min(max(config.opacity, 0.0), 1.0)
    _shine(picture, stamp, place, opacity)
    picture.paste(stamp, place, stamp.getchannel("A").point([round(level * opacity) for level in range(256)]))


def _ink(stamp: Image.Image) -> Image.Image:
    """The ink's opacity mask."""
    alpha = stamp.getchannel("A")
    if min(alpha.tobytes()) < 128:
        return alpha
    grey = stamp.convert("L")
    paper = ImageStat.Stat(grey).median[0]
    ink = ImageChops.difference(grey, Image.new("L", grey.size, int(paper)))
    return ImageOps.autocontrast(ink, cutoff=(2, 0))


def _solid(level: int) -> int:
    return 255 if level > 40 else 0


def _place(picture: tuple[int, int], stamp: tuple[int, int], position: str) -> tuple[int, int]:
    margin = round(min(picture) * _MARGIN)
    right, bottom = picture[0] - stamp[0] - margin, picture[1] - stamp[1] - margin
    middle = (picture[0] - stamp[0]) // 2, (picture[1] - stamp[1]) // 2
    places = {
        "top-left": (margin, margin),
        "top-right": (right, margin),
        "bottom-left": (margin, bottom),
        "bottom-center": (middle[0], bottom),
        "center": middle,
    }
    return places.get(position, (right, bottom))


def _shine(picture: Image.Image, stamp: Image.Image, place: tuple[int, int], opacity: float) -> None:
    ink = stamp.getchannel("A")
    box = (*place, place[0] + stamp.width, place[1] + stamp.height)
    grey = ImageStat.Stat(stamp.convert("L"), ink).mean[0]
    under = ImageStat.Stat(picture.crop(box).convert("L"))
    if abs(grey - under.mean[0]) - under.stddev[0] >= _LEGIBLE:
        return
    around = Image.new("L", picture.size)
    around.paste(ink, place)
    radius = max(2.0, picture.width / 160)
    around = around.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.GaussianBlur(radius))
    light = (255, 252, 244) if grey < 128 else (16, 16, 20)
    picture.paste(light, (0, 0), around.point([round(min(255, level * 1.8) * opacity) for level in range(256)]))
