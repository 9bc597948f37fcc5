"""The model of the simulated training: a style's colours and edge density, as a safetensors file."""

import json
import struct
from io import BytesIO

import msgspec
from PIL import Image, ImageFilter, ImageStat

Colour = tuple[int, int, int]

COLOURS = 7
"""Number of colours in the palette."""
_TILE = 96
"""Pixels per side to which images are reduced."""
_CANDIDATES = 32
_HEADER = struct.Struct("<Q")


class UnreadableModel(Exception):
    """Not a model file of the simulation."""


class StyleModel(msgspec.Struct, frozen=True):
    palette: tuple[Colour, ...]
    """The style's colours, most frequent first."""
    energy: float
    """0 for smooth areas, 1 for edges everywhere."""


def tile(content: bytes) -> Image.Image:
    """A JPEG or PNG file, reduced. Raises OSError if it is not an image."""
    with Image.open(BytesIO(content), formats=["JPEG", "PNG"]) as image:
        image.draft("RGB", (_TILE * 2, _TILE * 2))
        return image.convert("RGB").resize((_TILE, _TILE), Image.Resampling.BOX)


def learn(tiles: list[Image.Image]) -> StyleModel:
    """Learn from one or more images."""
    sheet = Image.new("RGB", (_TILE, _TILE * len(tiles)))
    for index, picture in enumerate(tiles):
        sheet.paste(picture, (0, index * _TILE))
    edges = [ImageStat.Stat(picture.convert("L").filter(ImageFilter.FIND_EDGES)).mean[0] for picture in tiles]
    return StyleModel(_palette(sheet), min(1.0, sum(edges) / len(edges) / 64))


def encode(model: StyleModel) -> bytes:
    """The model as a safetensors file: an 8-byte length, a JSON header, then the numbers."""
    numbers = [channel / 255 for colour in model.palette for channel in colour] + [model.energy]
    split = 12 * len(model.palette)
    header = json.dumps(
        {
            "__metadata__": {"format": "style-license-simulated"},
            "palette": {"dtype": "F32", "shape": [len(model.palette), 3], "data_offsets": [0, split]},
            "energy": {"dtype": "F32", "shape": [1], "data_offsets": [split, split + 4]},
        }
    ).encode()
    return _HEADER.pack(len(header)) + header + struct.pack(f"<{len(numbers)}f", *numbers)


def decode(content: bytes) -> StyleModel:
    """Decode the result of `encode`. Raises UnreadableModel."""
    try:
        (length,) = _HEADER.unpack_from(content)
        start = _HEADER.size + length
        colours, _ = json.loads(content[_HEADER.size : start])["palette"]["shape"]
        *channels, energy = struct.unpack_from(f"<{colours * 3 + 1}f", content, start)
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise UnreadableModel from error
    levels = iter(round(channel * 255) for channel in channels)
    colours = zip(levels, levels, levels, strict=True)
    return StyleModel(tuple(colours), energy)


def _palette(sheet: Image.Image) -> tuple[Colour, ...]:
    """The most frequent colour, then those both frequent and unlike the ones chosen, so that accents are kept."""
    reduced = sheet.quantize(_CANDIDATES, method=Image.Quantize.MEDIANCUT, kmeans=1)
    levels = reduced.getpalette() or []
    counts = {
        (levels[3 * index], levels[3 * index + 1], levels[3 * index + 2]): count
        for count, index in reduced.getcolors() or []
        if isinstance(index, int)
    }
    chosen = [max(counts, key=lambda colour: counts[colour])]
    while len(chosen) < min(COLOURS, len(counts)):
        chosen.append(max(counts, key=lambda colour: counts[colour] ** 0.5 * _unlike(colour, chosen)))
    return tuple(sorted(chosen, key=lambda colour: -counts[colour]))


def _unlike(colour: Colour, others: list[Colour]) -> float:
    return min(sum((a - b) ** 2 for a, b in zip(colour, other, strict=True)) for other in others)
