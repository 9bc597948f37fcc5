from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import BinaryIO, NewType

import msgspec

from core import tags
from core.accounts.errors import ArtistOnly
from core.blobs.first_bytes import first_bytes
from core.blobs.removed_on_failure import put_all, removed_on_failure
from core.errors import ValidationError
from core.identifiers import StyleId, UserId
from core.ports.blob_store import Blob, BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.images import ImageCopy, ImageFacts, Images, NotAnImage
from core.ports.task_queue import TaskQueue
from core.ports.transaction import Transaction
from core.problems import too_many
from core.requester import Requester
from core.styles import model
from core.styles.errors import (
    DuplicateStyleName,
    ImageResolutionTooLow,
    ImageSizeExceeded,
    InsufficientImages,
    InvalidImageFormat,
    RightsNotAffirmed,
    StyleLimitReached,
    TooManyImages,
)
from core.styles.model import Artwork, License, Style
from core.styles.repository import Styles
from core.styles.views import CreatedStyle
from core.tasks.model import TrainingOrder, WebhookBase, training_task
from core.text import comparison_key, parse_free_text, parse_name, problem_of_free_text, problem_of_name

StylesPerArtist = NewType("StylesPerArtist", int)


class NewStyle(msgspec.Struct, frozen=True):
    name: str
    description: str
    generation_cost_tokens: int
    license_type: License = License.PERSONAL
    tags: list[str] = []
    rights_affirmed: bool = True
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    show_samples: bool = True


class TrainingImage(msgspec.Struct, frozen=True):
    """An uploaded training image."""

    file: str
    """The client's file name; used in messages only."""
    size: int
    """Bytes."""
    content: BinaryIO
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

    async def __call__(self, requester: Requester, new: NewStyle, uploads: list[TrainingImage]) -> CreatedStyle:
        if not requester.is_artist:
            raise ArtistOnly
        new, uploads = _normalized(new, uploads)
        name = new.name
        style_tags, image_tags = _check(new, uploads)
        async with self.transaction:  # an early refusal before the costly part; checked again under a lock at the end
            await self._check_portfolio(requester.id, name)
        facts = [await self._inspect(index, upload) for index, upload in enumerate(uploads)]
        samples = [await self._sample(index, upload) for index, upload in enumerate(uploads[: model.SAMPLES])]

        style_id = await self.ids.style()
        name_tag = tags.as_tag(name)
        artworks = [
            await self._artwork(style_id, index, [*([name_tag] if name_tag else []), *own_tags], upload, fact)
            for index, (upload, fact, own_tags) in enumerate(zip(uploads, facts, image_tags, strict=True))
        ]
        now = self.clock.now()
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
            show_samples=new.show_samples,
            valid_from=new.valid_from,
            valid_to=new.valid_to,
        )
        await self._store(style, artworks, _blobs(artworks, uploads, facts, samples))
        return CreatedStyle(style.id, style.name, style.training_status.value, len(artworks), style.created_at, None)

    async def _check_portfolio(self, artist_id: UserId, name: str, *, lock: bool = False) -> None:
        portfolio = await self.styles.portfolio(artist_id, lock=lock)
        if comparison_key(name) in portfolio.name_keys:
            raise DuplicateStyleName
        if len(portfolio.name_keys) >= self.limit:
            raise StyleLimitReached(self.limit)

    async def _inspect(self, index: int, upload: TrainingImage) -> ImageFacts:
        if upload.size > model.MAX_IMAGE:
            raise ImageSizeExceeded(index=index, file=upload.file, size=upload.size, allowed=model.MAX_IMAGE)
        try:
            facts = await self.images.inspect(upload.content)
        except NotAnImage:
            raise InvalidImageFormat(index=index, file=upload.file) from None
        if min(facts.width, facts.height) < model.MIN_SIDE:
            raise ImageResolutionTooLow(
                index=index, file=upload.file, width=facts.width, height=facts.height, required=model.MIN_SIDE
            )
        return facts

    async def _sample(self, index: int, upload: TrainingImage) -> ImageCopy:
        try:
            return await self.images.reencode(upload.content, max_side=model.SAMPLE_SIDE)
        except NotAnImage:
            raise InvalidImageFormat(index=index, file=upload.file) from None

    async def _artwork(
        self, style_id: StyleId, index: int, own_tags: list[str], upload: TrainingImage, facts: ImageFacts
    ) -> Artwork:
        caption = upload.caption
        found = tags.tags_in(caption) if caption else []
        return Artwork(
            id=await self.ids.artwork(),
            style_id=style_id,
            index=index,
            key=f"training/{style_id}/image_{index}.{facts.extension}",
            format=facts.format,
            width=facts.width,
            height=facts.height,
            size=facts.size,
            caption=caption,
            tags=list(dict.fromkeys([*own_tags, *found])),
            sample_key=f"samples/{style_id}/image_{index}.{facts.extension}" if index < model.SAMPLES else None,
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


def _normalized(new: NewStyle, uploads: list[TrainingImage]) -> tuple[NewStyle, list[TrainingImage]]:
    new = msgspec.structs.replace(new, name=parse_name(new.name), description=parse_free_text(new.description).strip())
    captions = [parse_free_text(upload.caption or "").strip() or None for upload in uploads]
    return new, [
        msgspec.structs.replace(upload, caption=caption) for upload, caption in zip(uploads, captions, strict=True)
    ]


def _check(new: NewStyle, uploads: list[TrainingImage]) -> tuple[list[str], list[list[str]]]:
    """Check everything that needs no I/O; returns the style's tags and those of each image."""
    if not new.rights_affirmed:
        raise RightsNotAffirmed
    problems = model.problems_of_terms(new.description, new.generation_cost_tokens, new.valid_from, new.valid_to)
    if problem := problem_of_name(new.name, limit=model.MAX_NAME):
        problems["name"] = problem
    if len(new.tags) > model.MAX_TAGS:
        problems["tags"] = too_many(model.MAX_TAGS)
    for index, upload in enumerate(uploads):
        if problem := problem_of_free_text(upload.caption or "", limit=model.MAX_CAPTION):
            problems[f"captions.{index}"] = problem
        if len(upload.tags) > model.MAX_IMAGE_TAGS:
            problems[f"image_tags.{index}"] = too_many(model.MAX_IMAGE_TAGS)
    if problems:
        raise ValidationError(**problems)
    style_tags = tags.normalize_tags(new.tags, field="tags")
    image_tags = [tags.normalize_tags(upload.tags, field=f"image_tags.{index}") for index, upload in enumerate(uploads)]
    if len(uploads) < model.MIN_ARTWORKS:
        raise InsufficientImages(required=model.MIN_ARTWORKS, received=len(uploads))
    if len(uploads) > model.MAX_ARTWORKS:
        raise TooManyImages(allowed=model.MAX_ARTWORKS, received=len(uploads))
    return style_tags, image_tags


def _collected(artworks: list[Artwork]) -> list[str]:
    return [tag for artwork in artworks for tag in artwork.tags]


def _blobs(
    artworks: list[Artwork], uploads: list[TrainingImage], facts: list[ImageFacts], samples: list[ImageCopy]
) -> list[Blob]:
    """The images without trailing data, their captions, and the sample copies."""
    blobs = []
    for artwork, upload, fact in zip(artworks, uploads, facts, strict=True):
        content = upload.content if fact.size == upload.size else first_bytes(upload.content, fact.size)
        blobs.append(Blob(artwork.key, content, fact.content_type))
    blobs += [_caption_blob(artwork.key, artwork.caption) for artwork in artworks if artwork.caption]
    blobs += [
        Blob(artwork.sample_key, sample.content, sample.facts.content_type)
        for artwork, sample in zip(artworks, samples, strict=False)
        if artwork.sample_key
    ]
    return blobs


def _caption_blob(image_key: str, caption: str) -> Blob:
    """The training server reads an image's caption from a text file beside it."""
    return Blob(f"{image_key.rpartition('.')[0]}.txt", BytesIO(caption.encode()), "text/plain; charset=utf-8")
