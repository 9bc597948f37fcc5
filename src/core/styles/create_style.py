from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import NewType

import msgspec
from msgspec import UNSET, UnsetType

from core import tags
from core.accounts.errors import ArtistOnly
from core.blobs.removed_on_failure import put_all, removed_on_failure
from core.derivatives import PublicCopy, public_copy
from core.errors import ValidationError
from core.identifiers import StyleId, UserId
from core.ports.blob_store import Blob, BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.images import Image, Images, NotAnImage
from core.ports.task_queue import TaskQueue
from core.ports.transaction import Transaction
from core.problems import too_many
from core.requester import Requester
from core.styles import model
from core.styles.errors import (
    DuplicateImage,
    DuplicateStyleName,
    ImageResolutionTooLow,
    ImageSizeExceeded,
    InsufficientImages,
    InvalidImageFormat,
    RightsNotAffirmed,
    StyleLimitReached,
    TooManyImages,
)
from core.styles.model import Artwork, License, Rights, Style
from core.styles.repository import Styles
from core.styles.views import CreatedStyle
from core.tasks.model import TrainingOrder, WebhookBase, training_task
from core.text import comparison_key, parse_free_text, parse_name, problem_of_free_text, problem_of_name
from core.uploads import Upload

StylesPerArtist = NewType("StylesPerArtist", int)


class NewStyle(msgspec.Struct, frozen=True):
    name: str
    generation_cost_tokens: int
    description: str = ""
    license_type: License = License.PERSONAL
    tags: list[str] = []
    rights_affirmed: bool | UnsetType = UNSET
    """Left out, the rights are affirmed as well."""
    valid_from: datetime | None = None
    """None means now."""
    valid_to: datetime | None = None
    show_samples: bool = True


class TrainingImage(msgspec.Struct, frozen=True):
    """What the artist sends for one artwork."""

    upload: Upload
    caption: str | None = None
    tags: list[str] = []


@dataclass(frozen=True, slots=True)
class CreateStyle:
    """Create a style from training images and queue its training. A refusal leaves neither rows nor objects behind."""

    styles: Styles
    queue: TaskQueue
    blobs: BlobStore
    images: Images
    transaction: Transaction
    ids: Ids
    clock: Clock
    limit: StylesPerArtist
    webhooks: WebhookBase

    async def __call__(self, requester: Requester, new: NewStyle, training_images: list[TrainingImage]) -> CreatedStyle:
        if not requester.is_artist:
            raise ArtistOnly
        now = self.clock.now()
        new, training_images = _normalized(new, training_images, at=now)
        name = new.name
        style_tags, image_tags = _check(new, training_images)
        async with self.transaction:  # an early refusal before the costly part; checked again under a lock at the end
            await self._check_portfolio(requester.id, name)
        images = [await self._inspect(requester.id, index, item.upload) for index, item in enumerate(training_images)]
        _check_distinct(images, training_images)
        samples = [
            await self._sample(requester.id, index, item.upload.name, image)
            for index, (item, image) in enumerate(zip(training_images[: model.SAMPLES], images, strict=False))
        ]

        style_id = await self.ids.style()
        name_tag = tags.as_tag(name)
        artworks = [
            await self._artwork(style_id, index, [*([name_tag] if name_tag else []), *own_tags], item.caption, image)
            for index, (item, image, own_tags) in enumerate(zip(training_images, images, image_tags, strict=True))
        ]
        style = Style(
            id=style_id,
            artist_id=requester.id,
            name=name,
            description=new.description,
            generation_cost_tokens=new.generation_cost_tokens,
            license_type=new.license_type,
            tags=list(dict.fromkeys([*([name_tag] if name_tag else []), *style_tags, *_collected(artworks)])),
            task_id=self.ids.task(),
            created_at=now,
            updated_at=now,
            rights=Rights(affirmed_at=now, explicit=new.rights_affirmed is True),
            show_samples=new.show_samples,
            valid_from=new.valid_from,
            valid_to=new.valid_to,
        )
        await self._store(style, artworks, _blobs(artworks, images, samples))
        return CreatedStyle(style.id, style.name, style.training_status.value, len(artworks), style.created_at, None)

    async def check_limit(self, requester: Requester) -> None:
        """Raises StyleLimitReached if any style of this artist would be refused."""
        async with self.transaction:
            portfolio = await self.styles.portfolio(requester.id)
        if len(portfolio.name_keys) >= self.limit:
            raise StyleLimitReached(self.limit)

    async def _check_portfolio(self, artist_id: UserId, name: str, *, lock: bool = False) -> None:
        portfolio = await self.styles.portfolio(artist_id, lock=lock)
        if comparison_key(name) in portfolio.name_keys:
            raise DuplicateStyleName
        if len(portfolio.name_keys) >= self.limit:
            raise StyleLimitReached(self.limit)

    async def _inspect(self, artist: UserId, index: int, upload: Upload) -> Image:
        if upload.size > model.MAX_IMAGE:
            raise ImageSizeExceeded(index=index, file=upload.name, size=upload.size, allowed=model.MAX_IMAGE)
        try:
            image = await self.images.inspect(upload.content, user=artist)
        except NotAnImage:
            raise InvalidImageFormat(index=index, file=upload.name) from None
        if min(image.width, image.height) < model.MIN_SIDE:
            raise ImageResolutionTooLow(
                index=index, file=upload.name, width=image.width, height=image.height, required=model.MIN_SIDE
            )
        return image

    async def _sample(self, artist: UserId, index: int, file: str, image: Image) -> PublicCopy:
        try:
            return await public_copy(self.images, image.content, user=artist, max_side=model.SAMPLE_SIDE)
        except NotAnImage:
            raise InvalidImageFormat(index=index, file=file) from None

    async def _artwork(
        self, style_id: StyleId, index: int, own_tags: list[str], caption: str | None, image: Image
    ) -> Artwork:
        found = tags.tags_in(caption) if caption else []
        return Artwork(
            id=await self.ids.artwork(),
            style_id=style_id,
            index=index,
            key=f"training/{style_id}/image_{index}.{image.extension}",
            format=image.format,
            width=image.width,
            height=image.height,
            size=image.size,
            caption=caption,
            tags=list(dict.fromkeys([*own_tags, *found])),
            sample_key=f"samples/{style_id}/image_{index}.{image.extension}" if index < model.SAMPLES else None,
            perceptual_hash=image.perceptual_hash,
        )

    async def _store(self, style: Style, artworks: list[Artwork], blobs: list[Blob]) -> None:
        await put_all(self.blobs, *blobs)
        async with removed_on_failure(self.blobs, self.transaction, *(blob.key for blob in blobs)):
            await self._check_portfolio(style.artist_id, style.name, lock=True)
            await self.styles.add(style, artworks)
            await self.queue.put(
                training_task(
                    style.task_id,
                    TrainingOrder(style.id, [self.blobs.uri(artwork.key) for artwork in artworks], style.tags),
                    at=style.created_at,
                    webhooks=self.webhooks,
                )
            )


def _normalized(
    new: NewStyle, training_images: list[TrainingImage], *, at: datetime
) -> tuple[NewStyle, list[TrainingImage]]:
    new = msgspec.structs.replace(
        new,
        name=parse_name(new.name),
        description=parse_free_text(new.description).strip(),
        valid_from=new.valid_from or at,
    )
    captions = [parse_free_text(item.caption or "").strip() or None for item in training_images]
    return new, [
        msgspec.structs.replace(item, caption=caption) for item, caption in zip(training_images, captions, strict=True)
    ]


def _check(new: NewStyle, training_images: list[TrainingImage]) -> tuple[list[str], list[list[str]]]:
    """Check everything that needs no I/O; returns the style's tags and those of each image."""
    if new.rights_affirmed is False:
        raise RightsNotAffirmed
    problems = model.problems_of_terms(new.description, new.generation_cost_tokens, new.valid_from, new.valid_to)
    if problem := problem_of_name(new.name, limit=model.MAX_NAME):
        problems["name"] = problem
    if len(new.tags) > model.MAX_TAGS:
        problems["tags"] = too_many(model.MAX_TAGS)
    for index, item in enumerate(training_images):
        if problem := problem_of_free_text(item.caption or "", limit=model.MAX_CAPTION):
            problems[f"captions.{index}"] = problem
        if len(item.tags) > model.MAX_IMAGE_TAGS:
            problems[f"image_tags.{index}"] = too_many(model.MAX_IMAGE_TAGS)
    if problems:
        raise ValidationError(**problems)
    style_tags = tags.normalize_tags(new.tags, field="tags")
    image_tags = [
        tags.normalize_tags(item.tags, field=f"image_tags.{index}") for index, item in enumerate(training_images)
    ]
    if len(training_images) < model.MIN_ARTWORKS:
        raise InsufficientImages(required=model.MIN_ARTWORKS, received=len(training_images))
    if len(training_images) > model.MAX_ARTWORKS:
        raise TooManyImages(allowed=model.MAX_ARTWORKS, received=len(training_images))
    return style_tags, image_tags


def _check_distinct(images: list[Image], training_images: list[TrainingImage]) -> None:
    """Raises DuplicateImage."""
    indexes: dict[bytes, int] = {}
    for index, (image, item) in enumerate(zip(images, training_images, strict=True)):
        first = indexes.setdefault(image.digest, index)
        if first != index:
            raise DuplicateImage(index=index, file=item.upload.name, same_as=first)


def _collected(artworks: list[Artwork]) -> list[str]:
    return [tag for artwork in artworks for tag in artwork.tags]


def _blobs(artworks: list[Artwork], images: list[Image], samples: list[PublicCopy]) -> list[Blob]:
    """The images without trailing data, their captions, and the sample copies."""
    blobs = [image.stored_as(artwork.key) for artwork, image in zip(artworks, images, strict=True)]
    blobs += [_caption_blob(artwork.key, artwork.caption) for artwork in artworks if artwork.caption]
    for artwork, sample in zip(artworks, samples, strict=False):
        if artwork.sample_key:
            blobs += sample.stored_as(artwork.sample_key)
    return blobs


def _caption_blob(image_key: str, caption: str) -> Blob:
    """The training server reads an image's caption from a text file beside it."""
    return Blob(f"{image_key.rpartition('.')[0]}.txt", BytesIO(caption.encode()), "text/plain; charset=utf-8")
