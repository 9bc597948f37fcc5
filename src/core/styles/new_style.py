"""A new style: what is checked of it before any image is looked at."""

from datetime import datetime
from typing import NewType

import msgspec
from msgspec import UNSET, UnsetType

from core import tags
from core.errors import ValidationError
from core.identifiers import StyleId, TaskId, UserId, VersionId
from core.problems import Problem, too_many
from core.styles import model
from core.styles.errors import (
    DuplicateStyleName,
    InsufficientImages,
    RightsNotAffirmed,
    StyleLimitReached,
    TooManyImages,
)
from core.styles.model import License, Style
from core.styles.repository import Portfolio
from core.styles.version import MAX_ARTWORKS, MAX_CAPTION, MAX_IMAGE_TAGS, MIN_ARTWORKS, Rights, StyleVersion
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

    def style(self, style_id: StyleId, artist_id: UserId, *, at: datetime) -> Style:
        new = self.new
        return Style(
            id=style_id,
            artist_id=artist_id,
            name=new.name,
            description=new.description,
            generation_cost_tokens=new.generation_cost_tokens,
            license_type=new.license_type,
            tags=self.tags,
            version_id=VersionId(style_id),
            created_at=at,
            updated_at=at,
            show_samples=new.show_samples,
            valid_from=new.valid_from,
            valid_to=new.valid_to,
        )

    def version(self, style_id: StyleId, task_id: TaskId, *, at: datetime) -> StyleVersion:
        """The first version, which has the style's id."""
        return StyleVersion(
            id=VersionId(style_id),
            style_id=style_id,
            number=1,
            task_id=task_id,
            created_at=at,
            updated_at=at,
            rights=rights(self.new.rights_affirmed, at=at),
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
    texts = [_parsed(text) for text in texts]
    check_rights(new.rights_affirmed)
    if problems := _problems(new) | _problems_of_texts(texts):
        raise ValidationError(**problems)
    style_tags = tags.normalize_tags(new.tags, field="tags")
    texts = _tagged(texts, new.name)
    check_number(len(texts))
    collected = [tag for text in texts for tag in text.tags]
    return CheckedStyle(new, _distinct([*_name_tags(new.name), *style_tags, *collected]), texts)


def checked_texts(texts: list[ArtworkText], *, name: str) -> list[ArtworkText]:
    """Those of artworks for another version of the style of this name, normalized, with all tags.

    Raises ValidationError or InvalidTagLanguage.
    """
    texts = [_parsed(text) for text in texts]
    if problems := _problems_of_texts(texts):
        raise ValidationError(**problems)
    return _tagged(texts, name)


def check_number(artworks: int) -> None:
    """Raises InsufficientImages or TooManyImages."""
    if artworks < MIN_ARTWORKS:
        raise InsufficientImages(required=MIN_ARTWORKS, received=artworks)
    if artworks > MAX_ARTWORKS:
        raise TooManyImages(allowed=MAX_ARTWORKS, received=artworks)


def check_rights(affirmed: bool | UnsetType) -> None:
    """Raises RightsNotAffirmed."""
    if affirmed is False:
        raise RightsNotAffirmed


def rights(affirmed: bool | UnsetType, *, at: datetime) -> Rights:
    return Rights(affirmed_at=at, explicit=affirmed is True)


def _parsed(text: ArtworkText) -> ArtworkText:
    return ArtworkText(parse_free_text(text.caption or "").strip() or None, text.tags)


def _tagged(texts: list[ArtworkText], name: str) -> list[ArtworkText]:
    """With the tags of the style's name and of their captions. Raises InvalidTagLanguage."""
    given = [tags.normalize_tags(text.tags, field=f"image_tags.{index}") for index, text in enumerate(texts)]
    of_name = _name_tags(name)
    return [
        ArtworkText(text.caption, _distinct([*of_name, *own, *(tags.tags_in(text.caption) if text.caption else [])]))
        for text, own in zip(texts, given, strict=True)
    ]


def _name_tags(name: str) -> list[str]:
    tag = tags.as_tag(name)
    return [tag] if tag else []


def _problems(new: NewStyle) -> dict[str, Problem]:
    problems = model.problems_of_terms(new.description, new.generation_cost_tokens, new.valid_from, new.valid_to)
    if problem := problem_of_name(new.name, limit=model.MAX_NAME):
        problems["name"] = problem
    if len(new.tags) > model.MAX_TAGS:
        problems["tags"] = too_many(model.MAX_TAGS)
    return problems


def _problems_of_texts(texts: list[ArtworkText]) -> dict[str, Problem]:
    problems = {}
    for index, text in enumerate(texts):
        if problem := problem_of_free_text(text.caption or "", limit=MAX_CAPTION):
            problems[f"captions.{index}"] = problem
        if len(text.tags) > MAX_IMAGE_TAGS:
            problems[f"image_tags.{index}"] = too_many(MAX_IMAGE_TAGS)
    return problems


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
