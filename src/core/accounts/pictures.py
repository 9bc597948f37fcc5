from typing import BinaryIO

from core.accounts.errors import InvalidPicture
from core.ports.images import ImageFacts, Images, NotAnImage

MAX_PICTURE = 2 * 1024 * 1024
"""Bytes of a profile image or signature."""
MAX_SIDE = 4096
"""Pixels."""


async def accept_picture(images: Images, content: BinaryIO, *, field: str) -> ImageFacts:
    """What the picture is. Raises InvalidPicture for one that is none, or too large."""
    try:
        facts = await images.inspect(content)
    except NotAnImage:
        raise InvalidPicture(field, "Not a complete JPEG or PNG image.") from None
    if facts.size > MAX_PICTURE:
        raise InvalidPicture(field, f"At most {MAX_PICTURE // 1024 // 1024} MB.")
    if max(facts.width, facts.height) > MAX_SIDE:
        raise InvalidPicture(field, f"At most {MAX_SIDE} pixels a side.")
    return facts
