"""Paints a composition in a style's colours with visible brush strokes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from adapters.development.simulated_ai.compositions import compose
from adapters.development.simulated_ai.compositions.sheet import Composition
from adapters.development.simulated_ai.pigments import Pigments, mixed
from adapters.development.simulated_ai.style_model import Colour, StyleModel


@dataclass(frozen=True, slots=True)
class _Layer:
    """Strokes of one brush. Lengths are shares of the image's shorter side."""

    width: float
    length: float
    gap: float
    """Between strokes, in brush widths."""
    contrast: int
    """The contrast (0 to 255) that a point must have: fine brushes only work out edges."""
    bristles: tuple[float, ...]
    """Offsets of the bristles from the brush's centre, in brush widths."""


_LAYERS = (
    _Layer(width=0.060, length=0.30, gap=0.8, contrast=0, bristles=(-0.3, 0.0, 0.3)),
    _Layer(width=0.028, length=0.18, gap=0.9, contrast=0, bristles=(-0.3, 0.0, 0.3)),
    _Layer(width=0.012, length=0.10, gap=1.0, contrast=24, bristles=(-0.25, 0.25)),
    _Layer(width=0.007, length=0.05, gap=1.0, contrast=60, bristles=(0.0,)),
)


def paint(model: StyleModel, *, width: int, height: int, seed: int, prompt_tags: list[str]) -> Image.Image:
    """An RGB image of exactly this size; deterministic."""
    chance = Random(seed)  # noqa: S311 - a painting, not a secret
    pigments = Pigments(model.palette)
    composition = compose(pigments, (width, height), chance, prompt_tags)
    canvas = composition.sketch.copy()
    relief = Image.new("L", canvas.size, 128)
    _Brush(composition, pigments, chance, model.energy, canvas, relief).work()
    finish = ImageDraw.Draw(canvas)
    for outline, colour in composition.details:
        finish.polygon(outline, fill=colour)
    return _varnished(canvas, relief, chance)


class _Brush:
    def __init__(
        self,
        composition: Composition,
        pigments: Pigments,
        chance: Random,
        energy: float,
        canvas: Image.Image,
        relief: Image.Image,
    ) -> None:
        self._flow = composition.flow
        self._width, self._height = composition.sketch.size
        self._colours = composition.sketch.filter(ImageFilter.GaussianBlur(1)).tobytes()
        self._contrasts = _contrast(composition.sketch).tobytes()
        self._pigments = pigments
        self._chance = chance
        self._energy = energy
        self._paint = ImageDraw.Draw(canvas)
        self._relief = ImageDraw.Draw(relief)

    def work(self) -> None:
        side = min(self._width, self._height)
        for layer in _LAYERS:
            brush = max(2.0, layer.width * side)
            length = layer.length * side * (1.15 - 0.5 * self._energy)
            for x, y in self._places(brush * layer.gap):
                if self._contrasts[y * self._width + x] >= layer.contrast:
                    self._stroke(x, y, brush, length, layer.bristles)

    def _places(self, gap: float) -> Iterator[tuple[int, int]]:
        """A jittered grid in random order."""
        columns, rows = math.ceil(self._width / gap), math.ceil(self._height / gap)
        cells = [(column, row) for column in range(columns) for row in range(rows)]
        self._chance.shuffle(cells)
        for column, row in cells:
            x, y = (column + self._chance.random()) * gap, (row + self._chance.random()) * gap
            if x < self._width and y < self._height:
                yield int(x), int(y)

    def _stroke(self, x: int, y: int, brush: float, length: float, bristles: tuple[float, ...]) -> None:
        colour = self._colour(x, y)
        path = self._path(x, y, colour, brush, length * self._chance.uniform(0.5, 1.0))
        if len(path) < 2:
            return
        near = self._pigments.near(colour, self._chance)
        colour = mixed(colour, near, self._chance.uniform(0.1, 0.35 + 0.35 * self._energy))
        height = self._chance.randint(70, 190)
        angle = math.atan2(path[1][1] - path[0][1], path[1][0] - path[0][0])
        for bristle in bristles:
            shade = self._chance.uniform(-0.07, 0.07)
            tone = mixed(colour, self._pigments.lightest if shade > 0 else self._pigments.darkest, abs(shade))
            dx, dy = -math.sin(angle) * bristle * brush, math.cos(angle) * bristle * brush
            line = [(px + dx, py + dy) for px, py in path]
            width = brush * (0.5 if len(bristles) > 1 else 1.0)
            _line(self._paint, line, tone, width)
            self._relief.line(line, height + self._chance.randint(-40, 40), max(1, round(width * 0.8)))

    def _path(self, x: float, y: float, colour: Colour, brush: float, length: float) -> list[tuple[float, float]]:
        """Follow the flow until the sketch's colour changes."""
        step = max(2.0, brush * 0.8)
        path = [(x, y)]
        for _ in range(max(2, int(length / step))):
            angle = self._flow(x / self._width, y / self._height)
            x, y = x + math.cos(angle) * step, y + math.sin(angle) * step
            if not (0 <= x < self._width and 0 <= y < self._height):
                break
            there = self._colour(int(x), int(y))
            if abs(there[0] - colour[0]) + abs(there[1] - colour[1]) + abs(there[2] - colour[2]) > 90:
                break
            path.append((x, y))
        return path

    def _colour(self, x: int, y: int) -> Colour:
        at = 3 * (y * self._width + x)
        return self._colours[at], self._colours[at + 1], self._colours[at + 2]


def _line(
    draw: ImageDraw.ImageDraw, line: list[tuple[float, float]], fill: tuple[int, ...] | int, width: float
) -> None:
    draw.line(line, fill, max(1, round(width)))
    radius = width / 2
    if radius > 2:
        for x, y in (line[0], line[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _contrast(sketch: Image.Image) -> Image.Image:
    red, green, blue = (band.filter(ImageFilter.FIND_EDGES) for band in sketch.split())
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return strongest.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.BoxBlur(3))


def _varnished(canvas: Image.Image, relief: Image.Image, chance: Random) -> Image.Image:
    """Adds light on the thickness of the paint, and canvas grain."""
    width, height = canvas.size
    light = relief.filter(ImageFilter.GaussianBlur(0.7)).filter(
        ImageFilter.Kernel((3, 3), (-1, -1, 0, -1, 0, 1, 0, 1, 1), scale=5, offset=128)
    )
    noise = Image.frombytes("L", (width, height), chance.randbytes(width * height))
    grain = noise.filter(ImageFilter.GaussianBlur(0.8)).point(
        [round(128 + (level - 128) * 0.25) for level in range(256)]
    )
    surface = Image.blend(light, grain, 0.3)
    return ImageChops.soft_light(canvas, Image.merge("RGB", (surface, surface, surface)))
