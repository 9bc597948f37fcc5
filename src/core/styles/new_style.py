"""A new style: what is checked of it before any image is looked at."""

from datetime import datetime
from typing import NewType

import msgspec
from msgspec import UNSET, UnsetType

from core import tags
from core.errors import ValidationError
from core.identifiers import StyleId, TaskId, UserId
from core.problems import too_many
from core.styles import model
from core.styles.errors import (
    DuplicateStyleName,
    InsufficientImages,
    RightsNotAffirmed,
    StyleLimitReached,
    TooManyImages,
)
from core.styles.model import License, Rights, Style
from core.styles.repository import Portfolio
from core.text import comparison_key, parse_free_text, parse_name, problem_of_free_text, problem_of_name

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


class ArtworkText(msgspec.Struct, frozen=True):
    """What the artist says of one artwork."""

    caption: str | None = None
    tags: list[str] = []


class CheckedStyle(msgspec.Struct, frozen=True):
    """A new style whose fields are normalized and valid."""

    new: NewStyle
    tags: list[str]
    """Those of the artworks included."""
    texts: list[ArtworkText]
    """One per artwork, with all tags that it has."""

    def style(self, style_id: StyleId, artist_id: UserId, task_id: TaskId, *, at: datetime) -> Style:
        new = self.new
        return Style(
            id=style_id,
            artist_id=artist_id,
            name=new.name,
            description=new.description,
            generation_cost_tokens=new.generation_cost_tokens,
            license_type=new.license_type,
            tags=self.tags,
            task_id=task_id,
            created_at=at,
            updated_at=at,
            rights=Rights(affirmed_at=at, explicit=new.rights_affirmed is True),
            show_samples=new.show_samples,
            valid_from=new.valid_from,
            valid_to=new.valid_to,
        )

    def check_portfolio(self, portfolio: Portfolio, limit: StylesPerArtist) -> None:
        """Raises DuplicateStyleName or StyleLimitReached."""
        if comparison_key(self.new.name) in portfolio.name_keys:
            raise DuplicateStyleName
        check_limit(portfolio, limit)


def check_limit(portfolio: Portfolio, limit: StylesPerArtist) -> None:
    """Raises StyleLimitReached."""
    if len(portfolio.name_keys) >= limit:
        raise StyleLimitReached(limit)


def checked(new: NewStyle, texts: list[ArtworkText], *, at: datetime) -> CheckedStyle:
    """Raises ValidationError, RightsNotAffirmed, InvalidTagLanguage, InsufficientImages or TooManyImages."""
    new = msgspec.structs.replace(
        new,
        name=parse_name(new.name),
        description=parse_free_text(new.description).strip(),
        valid_from=new.valid_from or at,
    )
    captions = [parse_free_text(text.caption or "").strip() or None for text in texts]
    if new.rights_affirmed is False:
        raise RightsNotAffirmed
    _check_fields(new, captions, texts)
    style_tags = tags.normalize_tags(new.tags, field="tags")
    image_tags = [tags.normalize_tags(text.tags, field=f"image_tags.{index}") for index, text in enumerate(texts)]
    if len(texts) < model.MIN_ARTWORKS:
        raise InsufficientImages(required=model.MIN_ARTWORKS, received=len(texts))
    if len(texts) > model.MAX_ARTWORKS:
        raise TooManyImages(allowed=model.MAX_ARTWORKS, received=len(texts))

    name_tag = tags.as_tag(new.name)
    of_name = [name_tag] if name_tag else []
    texts = [
        ArtworkText(caption, _distinct([*of_name, *own, *(tags.tags_in(caption) if caption else [])]))
        for caption, own in zip(captions, image_tags, strict=True)
    ]
    collected = [tag for text in texts for tag in text.tags]
    return CheckedStyle(new, _distinct([*of_name, *style_tags, *collected]), texts)


def _check_fields(new: NewStyle, captions: list[str | None], texts: list[ArtworkText]) -> None:
    problems = model.problems_of_terms(new.description, new.generation_cost_tokens, new.valid_from, new.valid_to)
    if problem := problem_of_name(new.name, limit=model.MAX_NAME):
        problems["name"] = problem
    if len(new.tags) > model.MAX_TAGS:
        problems["tags"] = too_many(model.MAX_TAGS)
    for index, (caption, text) in enumerate(zip(captions, texts, strict=True)):
        if problem := problem_of_free_text(caption or "", limit=model.MAX_CAPTION):
            problems[f"captions.{index}"] = problem
        if len(text.tags) > model.MAX_IMAGE_TAGS:
            problems[f"image_tags.{index}"] = too_many(model.MAX_IMAGE_TAGS)
    if problems:
        raise ValidationError(**problems)


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
