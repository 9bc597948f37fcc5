"""Tags: English words by which styles, artworks and images are found."""

import re
from collections.abc import Iterable

from core.errors import Category, DomainError, ValidationError
from core.problems import invalid_tag, too_long
from core.text import normalize

MAX_LENGTH = 100
_TAG = re.compile(r"[A-Za-z0-9 _-]{1,100}", re.ASCII)


class InvalidTagLanguage(DomainError):
    code = "INVALID_TAG_LANGUAGE"
    category = Category.INVALID

    def __init__(self, field: str, tag: str) -> None:
        super().__init__(details={field: invalid_tag(tag[:MAX_LENGTH])})


def as_tag(text: str) -> str | None:
    """The text as a tag: NFC, trimmed, single spaces, lower case; None if it is not a valid tag."""
    tag = re.sub(r" {2,}", " ", normalize(text).strip(" "))
    return tag.lower() if _TAG.fullmatch(tag) else None


def as_prefix(text: str) -> str | None:
    """The text as a prefix of tags, empty for all; None if no tag can begin with it.

    Raises ValidationError if it is longer than any tag.
    """
    if len(text) > MAX_LENGTH:
        raise ValidationError(search=too_long(MAX_LENGTH))
    return as_tag(text) if text.strip(" ") else ""


def normalize_tags(texts: Iterable[str], *, field: str) -> list[str]:
    """Each text as a tag, in order, without duplicates. Raises InvalidTagLanguage for the first invalid one."""
    tags: dict[str, None] = {}
    for text in texts:
        tag = as_tag(text)
        if tag is None:
            raise InvalidTagLanguage(field, text)
        tags[tag] = None
    return list(tags)


def tags_in(caption: str) -> list[str]:
    """The comma-separated parts of a caption that are tags."""
    return list(dict.fromkeys(tag for part in caption.split(",") if (tag := as_tag(part))))
