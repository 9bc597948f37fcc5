from typing import BinaryIO

from core.accounts.errors import InvalidPicture
from core.derivatives import ImageUrls, PublicCopy, only_original, public_copy, public_urls
from core.identifiers import UserId
from core.ports.blob_store import PUBLIC_PREFIX, BlobStore
from core.ports.images import Image, Images, NotAnImage
from core.ports.secrets import Secrets
from core.problems import INVALID_IMAGE, file_too_large, side_too_long

MAX_PICTURE = 2 * 1024 * 1024
"""Bytes of a profile image or signature."""
MAX_SIDE = 4096
"""Pixels."""


async def accept_picture(images: Images, content: BinaryIO, *, user: UserId, field: str) -> Image:
    """Re-encode an uploaded picture. Raises InvalidPicture."""
    try:
        await _check(images, content, user, field)
        return await images.reencode(content, user=user)
    except NotAnImage:
        raise InvalidPicture(field, INVALID_IMAGE) from None


async def accept_public_picture(images: Images, content: BinaryIO, *, user: UserId, field: str) -> PublicCopy:
    """Re-encode an uploaded picture that others see, in all sizes. Raises InvalidPicture."""
    try:
        await _check(images, content, user, field)
        return await public_copy(images, content, user=user)
    except NotAnImage:
        raise InvalidPicture(field, INVALID_IMAGE) from None


async def _check(images: Images, content: BinaryIO, user: UserId, field: str) -> None:
    image = await images.inspect(content, user=user)
    if image.size > MAX_PICTURE:
        raise InvalidPicture(field, file_too_large(MAX_PICTURE // 1024 // 1024))
    if max(image.width, image.height) > MAX_SIDE:
        raise InvalidPicture(field, side_too_long(MAX_SIDE))


def picture_urls(picture: str | None, blobs: BlobStore) -> ImageUrls | None:
    """Of `User.profile_image`: our own objects are stored by key, the identity provider's pictures by URL."""
    if not picture:
        return None
    return public_urls(picture, blobs) if picture.startswith(PUBLIC_PREFIX) else only_original(picture)


def signature_key(artist: UserId, signature: Image, secrets: Secrets) -> str:
    """A new key for a signature of this artist."""
    return f"signatures/{artist}/{secrets.token()[:16]}.{signature.extension}"
