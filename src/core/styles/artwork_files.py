"""The files of an artwork: checked, and stored as the training server reads them."""

from io import BytesIO

import msgspec

from core.derivatives import PublicCopy, derivatives_of, public_copy
from core.identifiers import ArtworkId, UserId, VersionId
from core.ports.blob_store import Blob
from core.ports.images import Image, Images, NotAnImage
from core.styles.errors import ImageResolutionTooLow, ImageSizeExceeded, InvalidImageFormat
from core.styles.new_style import ArtworkText
from core.styles.version import MAX_IMAGE, MIN_SIDE, SAMPLE_SIDE, SAMPLES, Artwork
from core.uploads import Upload


async def inspected(images: Images, index: int, upload: Upload, *, user: UserId) -> Image:
    """Raises ImageSizeExceeded, InvalidImageFormat or ImageResolutionTooLow."""
    if upload.size > MAX_IMAGE:
        raise ImageSizeExceeded(index=index, file=upload.name, size=upload.size, allowed=MAX_IMAGE)
    try:
        image = await images.inspect(upload.content, user=user)
    except NotAnImage:
        raise InvalidImageFormat(index=index, file=upload.name) from None
    if min(image.width, image.height) < MIN_SIDE:
        raise ImageResolutionTooLow(
            index=index, file=upload.name, width=image.width, height=image.height, required=MIN_SIDE
        )
    return image


async def sample_of(images: Images, index: int, file: str, image: Image, *, user: UserId) -> PublicCopy | None:
    """The copy that others see; None for an artwork that is no sample. Raises InvalidImageFormat."""
    if index >= SAMPLES:
        return None
    try:
        return await public_copy(images, image.content, user=user, max_side=SAMPLE_SIDE)
    except NotAnImage:
        raise InvalidImageFormat(index=index, file=file) from None


def artwork_of(artwork_id: ArtworkId, version_id: VersionId, index: int, text: ArtworkText, image: Image) -> Artwork:
    return Artwork(
        id=artwork_id,
        version_id=version_id,
        index=index,
        key=_key("training", version_id, index, image.extension),
        format=image.format,
        width=image.width,
        height=image.height,
        size=image.size,
        digest=image.digest,
        caption=text.caption,
        tags=text.tags,
        sample_key=_key("samples", version_id, index, image.extension) if index < SAMPLES else None,
        perceptual_hash=image.perceptual_hash,
    )


def kept_as(artwork: Artwork, artwork_id: ArtworkId, version_id: VersionId, index: int) -> Artwork:
    """The same artwork in another version; a sample only if it was one before."""
    extension = artwork.key.rpartition(".")[2]
    is_sample = artwork.sample_key is not None and index < SAMPLES
    return msgspec.structs.replace(
        artwork,
        id=artwork_id,
        version_id=version_id,
        index=index,
        key=_key("training", version_id, index, extension),
        sample_key=_key("samples", version_id, index, extension) if is_sample else None,
    )


def keys_of(artwork: Artwork) -> list[str]:
    """The keys of its objects, those of a sample last."""
    keys = [artwork.key]
    if artwork.caption:
        keys.append(_caption_key(artwork.key))
    if artwork.sample_key:
        keys += [artwork.sample_key, *derivatives_of(artwork.sample_key)]
    return keys


def blobs_of(artwork: Artwork, image: Image, sample: PublicCopy | None) -> list[Blob]:
    """The image without trailing data, its caption, and the sample copy."""
    blobs = [image.stored_as(artwork.key)]
    if artwork.caption:
        blobs.append(_caption_blob(artwork.key, artwork.caption))
    if sample and artwork.sample_key:
        blobs += sample.stored_as(artwork.sample_key)
    return blobs


def _caption_blob(image_key: str, caption: str) -> Blob:
    return Blob(_caption_key(image_key), BytesIO(caption.encode()), "text/plain; charset=utf-8")


def _caption_key(image_key: str) -> str:
    """The training server reads an image's caption from a text file beside it."""
    return f"{image_key.rpartition('.')[0]}.txt"


def _key(folder: str, version_id: VersionId, index: int, extension: str) -> str:
    return f"{folder}/{version_id}/image_{index}.{extension}"
