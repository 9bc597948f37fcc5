import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from adapters.development.simulated_ai.pigments import Pigments
from adapters.development.simulated_ai.style_model import Colour

Flow = Callable[[float, float], float]
"""The direction of the brush, in radians, at a point given in shares of width and height."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Composition:
    """The sketch of an image, to be painted."""

    sketch: Image.Image
    flow: Flow
    details: list[tuple[list[Point], Colour]]
    """Polygons, in pixels, too fine for the brush; painted last."""


class Sheet:
    """A sheet to sketch on; coordinates and lengths are shares of its width and height."""

    def __init__(self, pigments: Pigments, size: tuple[int, int], chance: Random) -> None:
        self.pigments = pigments
        self.chance = chance
        self.width, self.height = size
        self.tall = self.height / self.width
        self.image = Image.new("RGB", size)
        self.draw = ImageDraw.Draw(self.image)
        self._details: list[tuple[list[Point], Colour]] = []

    def composition(self, flow: Flow) -> Composition:
        return Composition(self.image, flow, self._details)

    def wash(self, colours: list[list[Colour]]) -> None:
        """Cover the sheet with colours that blend into each other, given by rows."""
        rough = Image.new("RGB", (len(colours[0]), len(colours)))
        rough.putdata([colour for row in colours for colour in row])
        self.image.paste(rough.resize(self.image.size, Image.Resampling.BICUBIC))

    def area(self, points: list[Point], colour: Colour, *, detail: bool = False) -> None:
        outline = [(x * self.width, y * self.height) for x, y in points]
        self.draw.polygon(outline, fill=colour)
        if detail:
            self._details.append((outline, colour))

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, stretch: float = 1.0) -> None:
        """`radius` is a share of the width; `stretch` makes it taller."""
        high = radius * stretch / self.tall
        box = (x - radius) * self.width, (y - high) * self.height, (x + radius) * self.width, (y + high) * self.height
        self.draw.ellipse(box, fill=colour)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Light around a point."""
        mask = Image.new("L", self.image.size)
        high = radius / self.tall
        box = (x - radius) * self.width, (y - high) * self.height, (x + radius) * self.width, (y + high) * self.height
        ImageDraw.Draw(mask).ellipse(box, fill=round(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(radius * self.width * 0.35))
        self.image.paste(colour, (0, 0), mask)

    def wave(self, roughness: int) -> Callable[[float], float]:
        """A smooth random curve between -1 and 1."""
        parts = [
            (1 / (1.7**octave), self.chance.uniform(0.6, 1.4) * 2**octave, self.chance.uniform(0, math.tau))
            for octave in range(roughness)
        ]
        total = sum(weight for weight, _, _ in parts)
        return lambda x: sum(weight * math.sin(rate * math.pi * x + shift) for weight, rate, shift in parts) / total

    def swirl(self) -> Flow:
        """A direction that changes slowly across the sheet."""
        parts = [
            (self.chance.uniform(1.5, 4.0), self.chance.uniform(1.5, 4.0), self.chance.uniform(0, math.tau))
            for _ in range(3)
        ]
        lean = self.chance.uniform(-0.6, 0.6)
        return lambda x, y: lean + sum(math.sin(a * x + shift) * math.cos(b * y + shift) for a, b, shift in parts)
