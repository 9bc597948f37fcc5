import colorsys
from collections.abc import Sequence
from random import Random

from adapters.development.simulated_ai.style_model import Colour


def mixed(one: Sequence[int], other: Sequence[int], share: float) -> Colour:
    """A mix of two colours; `share` (0 to 1) is that of `other`."""
    red, green, blue = one
    return (
        round(red + (other[0] - red) * share),
        round(green + (other[1] - green) * share),
        round(blue + (other[2] - blue) * share),
    )


def luminance(colour: Sequence[int]) -> float:
    """0 to 255, weighted as in ITU-R BT.601."""
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


class Pigments:
    """A style's colours, by use."""

    def __init__(self, palette: tuple[Colour, ...]) -> None:
        self.frequent = palette
        """Most frequent first."""
        self.by_light = sorted(palette, key=luminance)
        """From dark to light."""
        self._alike: dict[Colour, list[Colour]] = {}
        self.accent = max(palette, key=_vividness)

    @property
    def darkest(self) -> Colour:
        return self.by_light[0]

    @property
    def lightest(self) -> Colour:
        return self.by_light[-1]

    def tone(self, light: float) -> Colour:
        """A colour between the darkest (0) and the lightest (1)."""
        place = min(max(light, 0.0), 1.0) * (len(self.by_light) - 1)
        index = min(int(place), len(self.by_light) - 2) if len(self.by_light) > 1 else 0
        return mixed(self.by_light[index], self.by_light[min(index + 1, len(self.by_light) - 1)], place - index)

    def any(self, chance: Random) -> Colour:
        """One of the style's colours, weighted by frequency."""
        weights = [1 / (rank + 2) for rank in range(len(self.frequent))]
        return chance.choices(self.frequent, weights)[0]

    def near(self, colour: Sequence[int], chance: Random) -> Colour:
        """One of the style's three colours most similar to this one."""
        red, green, blue = (channel >> 4 for channel in colour)
        if (red, green, blue) not in self._alike:
            middle = (red * 16 + 8, green * 16 + 8, blue * 16 + 8)
            alike = sorted(self.frequent, key=lambda own: sum((a - b) ** 2 for a, b in zip(own, middle, strict=True)))
            self._alike[red, green, blue] = alike[:3]
        return chance.choice(self._alike[red, green, blue])


def _vividness(colour: Colour) -> float:
    _, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    return saturation * value
