from typing import BinaryIO

from core.accounts.errors import InvalidPicture
from core.identifiers import UserId
from core.ports.images import ImageCopy, ImageFacts, Images, NotAnImage
from core.ports.secrets import Secrets

MAX_PICTURE = 2 * 1024 * 1024
"""Bytes of a profile image or signature."""
MAX_SIDE = 4096
"""Pixels."""


async def accept_picture(images: Images, content: BinaryIO, *, field: str) -> ImageCopy:
    """Re-encode an uploaded picture for publication. Raises InvalidPicture."""
    try:
        facts = await images.inspect(content)
        _check_size(facts, field)
        return await images.reencode(content)
    except NotAnImage:
        raise InvalidPicture(field, "Not a complete JPEG or PNG image.") from None


def _check_size(facts: ImageFacts, field: str) -> None:
    if facts.size > MAX_PICTURE:
        raise InvalidPicture(field, f"At most {MAX_PICTURE // 1024 // 1024} MB.")
    if max(facts.width, facts.height) > MAX_SIDE:
        raise InvalidPicture(field, f"At most {MAX_SIDE} pixels a side.")


def signature_key(artist: UserId, facts: ImageFacts, secrets: Secrets) -> str:
    """A new key for a signature of this artist."""
    return f"signatures/{artist}/{secrets.token()[:16]}.{facts.extension}"
