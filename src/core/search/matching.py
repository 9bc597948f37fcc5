"""What counts as a match, and which of two is the better one."""

import unicodedata
from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum

from core.errors import ValidationError

MAX_QUERY = 100
WORD_BREAKS = " -_.,:;/()&+'\""
"""After any of these a new word begins."""


class Match(IntEnum):
    """How well a text matches; the lower the better."""

    EXACT = 0
    PREFIX = 1
    WORD_START = 2
    INSIDE = 3


class MatchedBy(Enum):
    NAME = "name"
    TAG = "tag"
    ARTIST_NAME = "artist_name"
    USERNAME = "username"


def folded(text: str) -> str:
    """The text as it is compared: without case, in composed characters, with single spaces."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(composed.replace("\0", " ").split())


def wanted(text: str) -> str:
    """What is looked for, folded. Raises ValidationError for nothing, and for more than any name has."""
    query = folded(text[: MAX_QUERY * 10])
    if not query or len(text) > MAX_QUERY * 10 or len(query) > MAX_QUERY:
        raise ValidationError(q=f"1 to {MAX_QUERY} characters.")
    return query


def match(query: str, text: str) -> Match | None:
    """How a folded text matches; None when the query is no part of it."""
    if text == query:
        return Match.EXACT
    if text.startswith(query):
        return Match.PREFIX
    if any(f"{mark}{query}" in text for mark in WORD_BREAKS):
        return Match.WORD_START
    return Match.INSIDE if query in text else None


def best_match(query: str, texts: Mapping[MatchedBy, Iterable[str]]) -> tuple[Match, MatchedBy] | None:
    """The best match among folded texts and what it is; of those that match alike the first."""
    best: tuple[Match, MatchedBy] | None = None
    for kind, those in texts.items():
        for text in those:
            found = match(query, text)
            if found is not None and (best is None or found < best[0]):
                best = found, kind
    return best
