"""Compositions: the prompt's tags choose the subject, the seed its arrangement."""

from collections.abc import Callable
from random import Random

from adapters.development.simulated_ai.compositions.city import city
from adapters.development.simulated_ai.compositions.currents import currents
from adapters.development.simulated_ai.compositions.flowers import flowers
from adapters.development.simulated_ai.compositions.landscape import landscape
from adapters.development.simulated_ai.compositions.portrait import portrait
from adapters.development.simulated_ai.compositions.sea import sea
from adapters.development.simulated_ai.compositions.sheet import Composition, Sheet
from adapters.development.simulated_ai.pigments import Pigments

_SUBJECTS: list[tuple[set[str], Callable[[Sheet], Composition]]] = [
    ({"portrait", "woman", "man", "girl", "boy", "person", "face", "queen", "king", "angel", "dancer"}, portrait),
    ({"flower", "flowers", "rose", "roses", "garden", "bouquet", "spring", "blossom", "petals", "tulip"}, flowers),
    ({"city", "street", "town", "skyline", "building", "buildings", "night", "architecture", "tower"}, city),
    ({"sea", "ocean", "lake", "river", "water", "beach", "wave", "waves", "boat", "harbour", "harbor"}, sea),
    ({"landscape", "mountain", "mountains", "hill", "hills", "forest", "field", "valley", "sunset"}, landscape),
]


def compose(pigments: Pigments, size: tuple[int, int], chance: Random, prompt_tags: list[str]) -> Composition:
    """A sketch of the first subject that a tag names, else an abstract one."""
    words = {word for tag in prompt_tags for word in tag.replace("-", " ").replace("_", " ").split()}
    draw = next((draw for names, draw in _SUBJECTS if words & names), currents)
    return draw(Sheet(pigments, size, chance))
