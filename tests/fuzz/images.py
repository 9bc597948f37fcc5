"""Damaged image files, made from files as cameras, phones and editors write them."""

import io
import re
from functools import cache
from random import Random

from PIL import Image

from tests.fuzz.mutations import mutated, with_right_checksums
from tests.support import photographs
from tests.support.photographs import drawn, encoded, galaxy_trailer, with_metadata

_MARKERS = re.compile(rb"\xff[\xc0-\xfe]|IHDR|PLTE|tRNS|IDAT|IEND|iCCP|eXIf|zTXt|iTXt")


@cache
def seeds() -> list[bytes]:
    several = io.BytesIO()
    drawn().save(several, "MPO", save_all=True, append_images=[drawn("L").convert("RGB")])
    return [
        with_metadata(drawn(), "JPEG", orientation=6) + galaxy_trailer(),
        several.getvalue(),
        encoded(drawn(), "JPEG", icc_profile=photographs.profile()),
        encoded(drawn(), "JPEG", progressive=True),
        encoded(drawn("L"), "JPEG", progressive=True, restart_marker_rows=1),
        encoded(drawn("CMYK"), "JPEG", progressive=True),
        encoded(drawn("CMYK"), "JPEG"),
        encoded(drawn(), "JPEG", restart_marker_blocks=2, quality=100, subsampling=0),
        with_metadata(drawn(), "PNG", orientation=3),
        encoded(drawn(), "PNG", icc_profile=photographs.profile()),
        encoded(drawn("P"), "PNG", transparency=0),
        encoded(drawn("RGBA"), "PNG"),
        encoded(drawn("1"), "PNG"),
        encoded(Image.new("I;16", (64, 48), 0x80FF), "PNG"),
    ]


def damaged(number: int) -> bytes:
    """The same for the same number."""
    random = Random(number)
    content = mutated(random.choice(seeds()), random, more=(_exchange,))
    return with_right_checksums(content) if random.random() < 0.7 else content


def _exchange(content: bytearray, random: Random) -> None:
    """A marker or kind of chunk becomes another one that is in the file."""
    found = list(_MARKERS.finditer(content))
    if found:
        place = random.choice(found).span()
        content[slice(*place)] = random.choice(found)[0]
