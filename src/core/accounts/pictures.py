from typing import BinaryIO

from core.accounts.errors import InvalidPicture
from core.identifiers import UserId
from core.ports.images import Image, Images, NotAnImage
from core.ports.secrets import Secrets
from core.problems import INVALID_IMAGE, file_too_large, side_too_long

MAX_PICTURE = 2 * 1024 * 1024
"""Bytes of a profile image or signature."""
MAX_SIDE = 4096
"""Pixels."""


async def accept_picture(images: Images, content: BinaryIO, *, user: UserId, field: str) -> Image:
    """Re-encode an uploaded picture for publication. Raises InvalidPicture."""
    try:
        image = await images.inspect(content, user=user)
        _check_size(image, field)
        return await images.reencode(content, user=user)
    except NotAnImage:
        raise InvalidPicture(field, INVALID_IMAGE) from None


def _check_size(image: Image, field: str) -> None:
    if image.size > MAX_PICTURE:
        raise InvalidPicture(field, file_too_large(MAX_PICTURE // 1024 // 1024))
    if max(image.width, image.height) > MAX_SIDE:
        raise InvalidPicture(field, side_too_long(MAX_SIDE))


def signature_key(artist: UserId, signature: Image, secrets: Secrets) -> str:
    """A new key for a signature of this artist."""
    return f"signatures/{artist}/{secrets.token()[:16]}.{signature.extension}"
