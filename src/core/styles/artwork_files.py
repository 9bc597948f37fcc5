"""The files of an artwork: checked, and stored as the training server reads them."""

from io import BytesIO

from core.derivatives import PublicCopy, public_copy
from core.identifiers import ArtworkId, StyleId, UserId
from core.ports.blob_store import Blob
from core.ports.images import Image, Images, NotAnImage
from core.styles import model
from core.styles.errors import ImageResolutionTooLow, ImageSizeExceeded, InvalidImageFormat
from core.styles.model import Artwork
from core.styles.new_style import ArtworkText
from core.uploads import Upload


async def inspected(images: Images, index: int, upload: Upload, *, user: UserId) -> Image:
    """Raises ImageSizeExceeded, InvalidImageFormat or ImageResolutionTooLow."""
    if upload.size > model.MAX_IMAGE:
        raise ImageSizeExceeded(index=index, file=upload.name, size=upload.size, allowed=model.MAX_IMAGE)
    try:
        image = await images.inspect(upload.content, user=user)
    except NotAnImage:
        raise InvalidImageFormat(index=index, file=upload.name) from None
    if min(image.width, image.height) < model.MIN_SIDE:
        raise ImageResolutionTooLow(
            index=index, file=upload.name, width=image.width, height=image.height, required=model.MIN_SIDE
        )
    return image


async def sample_of(images: Images, index: int, file: str, image: Image, *, user: UserId) -> PublicCopy | None:
    """The copy that others see; None for an artwork that is no sample. Raises InvalidImageFormat."""
    if index >= model.SAMPLES:
        return None
    try:
        return await public_copy(images, image.content, user=user, max_side=model.SAMPLE_SIDE)
    except NotAnImage:
        raise InvalidImageFormat(index=index, file=file) from None


def artwork_of(artwork_id: ArtworkId, style_id: StyleId, index: int, text: ArtworkText, image: Image) -> Artwork:
    return Artwork(
        id=artwork_id,
        style_id=style_id,
        index=index,
        key=f"training/{style_id}/image_{index}.{image.extension}",
        format=image.format,
        width=image.width,
        height=image.height,
        size=image.size,
        caption=text.caption,
        tags=text.tags,
        sample_key=f"samples/{style_id}/image_{index}.{image.extension}" if index < model.SAMPLES else None,
        perceptual_hash=image.perceptual_hash,
    )


def blobs_of(artwork: Artwork, image: Image, sample: PublicCopy | None) -> list[Blob]:
    """The image without trailing data, its caption, and the sample copy."""
    blobs = [image.stored_as(artwork.key)]
    if artwork.caption:
        blobs.append(_caption_blob(artwork.key, artwork.caption))
    if sample and artwork.sample_key:
        blobs += sample.stored_as(artwork.sample_key)
    return blobs


def _caption_blob(image_key: str, caption: str) -> Blob:
    """The training server reads an image's caption from a text file beside it."""
    return Blob(f"{image_key.rpartition('.')[0]}.txt", BytesIO(caption.encode()), "text/plain; charset=utf-8")
