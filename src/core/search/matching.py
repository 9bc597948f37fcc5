"""What counts as a match, and which of two is the better one."""

from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum

from core.errors import ValidationError
from core.problems import wrong_length
from core.text import comparison_key

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
    """A style's name; an artist's name or username."""
    TAG = "tag"


def parse_query(text: str) -> str:
    """The query's comparison key. Raises ValidationError for an empty one, and for more than any name has."""
    query = comparison_key(text[: MAX_QUERY * 10])
    if not query or len(text) > MAX_QUERY * 10 or len(query) > MAX_QUERY:
        raise ValidationError(q=wrong_length(1, MAX_QUERY))
    return query


def match(query: str, text: str) -> Match | None:
    """How a text's comparison key matches; None when the query is no part of it."""
    if text == query:
        return Match.EXACT
    if text.startswith(query):
        return Match.PREFIX
    if any(f"{mark}{query}" in text for mark in WORD_BREAKS):
        return Match.WORD_START
    return Match.INSIDE if query in text else None


def best_match(query: str, texts: Mapping[MatchedBy, Iterable[str]]) -> tuple[Match, MatchedBy] | None:
    """The best match among texts' comparison keys, and its kind; of equal matches the first."""
    best: tuple[Match, MatchedBy] | None = None
    for kind, those in texts.items():
        for text in those:
            found = match(query, text)
            if found is not None and (best is None or found < best[0]):
                best = found, kind
    return best
