"""Generated artworks for the demo: one style, several motifs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]

MOODS: dict[str, list[Colour]] = {
    "Harbour Dusk": [(24, 36, 72), (58, 98, 148), (112, 156, 168), (236, 216, 178), (228, 160, 84), (186, 72, 58)],
    "Terracotta Garden": [(58, 38, 36), (188, 90, 62), (230, 166, 118), (246, 232, 208), (88, 118, 86), (42, 74, 66)],
    "Northern Moss": [(26, 40, 38), (62, 92, 70), (128, 150, 98), (222, 218, 180), (210, 170, 72), (122, 76, 58)],
    "Plum Evening": [(38, 22, 56), (98, 48, 104), (178, 88, 126), (244, 204, 190), (250, 226, 160), (64, 84, 140)],
}
_SIZES = [(768, 768), (640, 896), (896, 640), (720, 720)]


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    content: bytes
    content_type: str
    caption: str


def portfolio(mood: str, chance: Random, *, number: int = 12) -> list[Picture]:
    """Artworks in the colours of a mood, alternately JPEG and PNG."""
    pictures = []
    for index in range(number):
        caption, draw = _MOTIFS[index % len(_MOTIFS)]
        image = draw(MOODS[mood], _SIZES[index % len(_SIZES)], chance)
        extension, format = (("jpg", "JPEG"), ("png", "PNG"))[index % 2]
        file = BytesIO()
        image.filter(ImageFilter.GaussianBlur(0.8)).save(file, format, quality=90)
        pictures.append(Picture(f"{caption}-{index}.{extension}", file.getvalue(), f"image/{format.lower()}", caption))
    return pictures


def signature(name: str) -> bytes:
    """A handwritten name on a transparent background; a PNG file."""
    image = Image.new("RGBA", (1200, 420), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    ink = (24, 26, 48, 255)
    font = ImageFont.load_default(190)
    draw.text((180, 60), name, fill=ink, font=font, stroke_width=3, stroke_fill=ink)
    end = 180 + draw.textlength(name, font=font)
    stroke = [(160 + (end - 120) * t / 60, 318 + 22 * math.sin(t / 8) - t * 0.7) for t in range(61)]
    draw.line(stroke, fill=ink, width=11, joint="curve")
    slanted = image.transform(
        image.size, Image.Transform.AFFINE, (1, 0.28, -90, -0.04, 1, 24), Image.Resampling.BICUBIC
    )
    file = BytesIO()
    slanted.crop(slanted.getbbox()).save(file, "PNG")
    return file.getvalue()


def _ground(colours: list[Colour], size: tuple[int, int], chance: Random) -> Image.Image:
    """A background in which a few colours blend."""
    rough = Image.new("RGB", (3, 3))
    for x in range(3):
        for y in range(3):
            rough.putpixel((x, y), chance.choice(colours))
    return rough.resize(size, Image.Resampling.BICUBIC)


def _hills(colours: list[Colour], size: tuple[int, int], chance: Random) -> Image.Image:
    image = _ground(colours[3:5], size, chance)
    draw = ImageDraw.Draw(image)
    width, height = size
    x, y, radius = chance.uniform(0.25, 0.75) * width, 0.3 * height, 0.1 * width
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[5])
    for ridge in range(5):
        shift, rate = chance.uniform(0, math.tau), chance.uniform(2, 5)
        line = height * (0.4 + 0.13 * ridge)
        crest = [(px, line + 0.06 * height * math.sin(rate * px / width + shift)) for px in range(0, width + 8, 8)]
        draw.polygon([(0, height), *crest, (width, height)], fill=colours[(ridge + 1) % 3])
    return image


def _waves(colours: list[Colour], size: tuple[int, int], chance: Random) -> Image.Image:
    image = _ground(colours[2:5], size, chance)
    draw = ImageDraw.Draw(image)
    width, height = size
    for row in range(16):
        shift, line = chance.uniform(0, math.tau), height * (0.35 + 0.045 * row)
        crest = [(px, line + 14 * math.sin(px / 46 + shift) + 8 * math.sin(px / 17)) for px in range(0, width + 6, 6)]
        draw.line(crest, fill=chance.choice(colours), width=chance.randint(8, 26), joint="curve")
    return image


def _leaves(colours: list[Colour], size: tuple[int, int], chance: Random) -> Image.Image:
    image = _ground(colours[:2], size, chance)
    draw = ImageDraw.Draw(image)
    width, height = size
    for _ in range(90):
        x, y, length = chance.uniform(0, width), chance.uniform(0, height), chance.uniform(40, 120)
        angle, colour = chance.uniform(0, math.tau), chance.choice(colours)
        leaf = []
        for step in range(21):
            turn = math.tau * step / 20
            along, across = length * math.cos(turn), length * 0.3 * math.sin(turn)
            leaf.append(
                (
                    x + along * math.cos(angle) - across * math.sin(angle),
                    y + along * math.sin(angle) + across * math.cos(angle),
                )
            )
        draw.polygon(leaf, fill=colour)
    return image


def _moons(colours: list[Colour], size: tuple[int, int], chance: Random) -> Image.Image:
    image = _ground(colours, size, chance)
    draw = ImageDraw.Draw(image)
    width, height = size
    for _ in range(9):
        x, y, radius = chance.uniform(0, width), chance.uniform(0, height), chance.uniform(0.06, 0.22) * width
        for ring in range(5):
            reach = radius * (1 - ring / 5)
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=chance.choice(colours))
    return image


_MOTIFS: list[tuple[str, Callable[[list[Colour], tuple[int, int], Random], Image.Image]]] = [
    ("hills", _hills),
    ("waves", _waves),
    ("leaves", _leaves),
    ("moons", _moons),
]
