"""Real pictures."""

from functools import cache
from io import BytesIO
from random import Random
from typing import Literal

from PIL import Image


@cache
def picture(
    width: int = 512, height: int = 512, *, format: Literal["png", "jpeg"] = "png", color: str = "teal"
) -> bytes:
    content = BytesIO()
    Image.new("RGB", (width, height), color).save(content, format)
    return content.getvalue()


@cache
def noise(width: int, height: int) -> bytes:
    """A picture that no format compresses: some 3 bytes a pixel."""
    content = BytesIO()
    Image.frombytes("RGB", (width, height), Random(1).randbytes(width * height * 3)).save(content, "png")
    return content.getvalue()
