"""Smaller copies of the images that others see. Each is stored beside its original, under a key made from its key."""

from typing import BinaryIO

import msgspec

from core.identifiers import UserId
from core.ports.blob_store import PUBLIC_PREFIX, Blob, BlobStore
from core.ports.images import Derivative, Image, Images

THUMBNAIL_SIDE = 320
PREVIEW_SIDE = 1024
"""Pixels of the longer side."""
SIDES = (THUMBNAIL_SIDE, PREVIEW_SIDE)
EXTENSIONS = {"webp": "webp", "jpeg": "jpg"}
"""By format."""
SAMPLES_PREFIX = "samples/"
_ORIGINALS = (PUBLIC_PREFIX, SAMPLES_PREFIX)
_SUFFIXES = tuple(f".{side}.{extension}" for side in SIDES for extension in EXTENSIONS.values())


class FormatUrls(msgspec.Struct, frozen=True):
    """URLs of the same picture in two formats."""

    webp: str
    jpeg: str


class ImageUrls(msgspec.Struct, frozen=True):
    """An image in three sizes. The URLs are public, or signed and short-lived, as the original's is."""

    thumbnail: FormatUrls | None
    """At most 320 pixels on the longer side; null if there is only the original."""
    preview: FormatUrls | None
    """At most 1,024 pixels on the longer side; null if there is only the original."""
    original: str


class PublicCopy(msgspec.Struct, frozen=True):
    """A copy of an image for publication, with the smaller ones."""

    image: Image
    smaller: list[Derivative]

    def stored_as(self, key: str) -> list[Blob]:
        """The objects to store together; the key of the copy itself is `key`."""
        return [self.image.stored_as(key), *(_stored_as(key, derivative) for derivative in self.smaller)]


async def public_copy(images: Images, content: BinaryIO, *, user: UserId, max_side: int | None = None) -> PublicCopy:
    """For an image that has passed `Images.inspect`. Raises NotAnImage."""
    image = await images.reencode(content, user=user, max_side=max_side)
    return PublicCopy(image, await images.shrink(image.content, user=user, sides=SIDES))


def derivatives_of(*keys: str) -> list[str]:
    """The keys of the smaller copies of these objects. Prefixes, and what is not for others, have none."""
    originals = [key for key in keys if key.startswith(_ORIGINALS) and not key.endswith("/")]
    return [key + suffix for key in originals for suffix in _SUFFIXES]


def original_of(key: str) -> str:
    """The key of the image of which the object is a smaller copy; any other key unchanged."""
    suffix = next((suffix for suffix in _SUFFIXES if key.endswith(suffix)), "")
    return key.removesuffix(suffix) if key.startswith(_ORIGINALS) else key


def only_original(url: str) -> ImageUrls:
    return ImageUrls(thumbnail=None, preview=None, original=url)


def original(urls: ImageUrls | None) -> str | None:
    return urls.original if urls else None


def public_urls(key: str, blobs: BlobStore) -> ImageUrls:
    """Of an object below PUBLIC_PREFIX. The suffixes look the same in a URL."""
    url = blobs.public_url(key)
    return image_urls(url, *[url + suffix for suffix in _SUFFIXES])


def image_urls(original: str, thumbnail: str, thumbnail_jpeg: str, preview: str, preview_jpeg: str) -> ImageUrls:
    """From the URLs of a key and of its derivatives, in their order."""
    return ImageUrls(FormatUrls(thumbnail, thumbnail_jpeg), FormatUrls(preview, preview_jpeg), original)


def _stored_as(key: str, derivative: Derivative) -> Blob:
    extension = EXTENSIONS[derivative.format]
    return Blob(f"{key}.{derivative.side}.{extension}", derivative.content, f"image/{derivative.format}")
