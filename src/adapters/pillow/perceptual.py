"""Perceptual hashes: few bits differ between those of an image and of a resized or recompressed copy.

The hash is the one known as pHash: the signs of low frequencies of the image's discrete cosine transform, each against
their median. It is written here because it is a few lines, and libraries that compute it bring SciPy along.
"""

from math import cos, pi, sqrt
from statistics import fmean, median

from PIL import Image

from adapters.pillow.copies import eight_bit, on_white, turned_upright

SIDE = 32
"""Pixels of the square that the image is reduced to."""
LOW = range(1, 9)
"""The frequencies in each direction; 0 would be brightness."""
MIN_DETAIL = 4.0
"""Mean amplitude of the frequencies below which the signs are noise: plain areas and plain gradients."""
_WAVES = [[sqrt(2 / SIDE) * cos(pi * (2 * at + 1) * frequency / (2 * SIDE)) for at in range(SIDE)] for frequency in LOW]


def perceptual_hash(image: Image.Image, orientation: int) -> int | None:
    """64 bits; None if the image has too little detail to be recognized by it."""
    small = on_white(eight_bit(image).resize((SIDE, SIDE), Image.Resampling.HAMMING))
    pixels = turned_upright(small.convert("RGB").convert("L"), orientation).tobytes()
    rows = [pixels[at : at + SIDE] for at in range(0, len(pixels), SIDE)]
    across = [[_product(wave, row) for row in rows] for wave in _WAVES]
    amplitudes = [_product(wave, column) for column in across for wave in _WAVES]
    if fmean(map(abs, amplitudes)) < MIN_DETAIL:
        return None
    middle = median(amplitudes)
    return sum((amplitude > middle) << place for place, amplitude in enumerate(amplitudes))


def _product(wave: list[float], values: bytes | list[float]) -> float:
    return sum(one * other for one, other in zip(wave, values, strict=True))
