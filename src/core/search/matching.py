"""What counts as a match, and how matches are ranked."""

from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum

from core.errors import ValidationError
from core.problems import wrong_length
from core.text import comparison_key

MAX_QUERY = 100
WORD_BREAKS = " -_.,:;/()&+'\""
"""Characters that start a new word."""


class Match(IntEnum):
    """The kind of a match; lower is better."""

    EXACT = 0
    PREFIX = 1
    WORD_START = 2
    INSIDE = 3


class MatchedBy(Enum):
    NAME = "name"
    """A style's name; an artist's name or username."""
    TAG = "tag"


def parse_query(text: str) -> str:
    """The comparison key of a query. Raises ValidationError if it is empty or longer than any name."""
    query = comparison_key(text[: MAX_QUERY * 10])
    if not query or len(text) > MAX_QUERY * 10 or len(query) > MAX_QUERY:
        raise ValidationError(q=wrong_length(1, MAX_QUERY))
    return query


def match(query: str, text: str) -> Match | None:
    """How a text's comparison key matches; None if it does not contain the query."""
    if text == query:
        return Match.EXACT
    if text.startswith(query):
        return Match.PREFIX
    if any(f"{mark}{query}" in text for mark in WORD_BREAKS):
        return Match.WORD_START
    return Match.INSIDE if query in text else None


def best_match(query: str, texts: Mapping[MatchedBy, Iterable[str]]) -> tuple[Match, MatchedBy] | None:
    """The best match among comparison keys, and its kind; the first of equal ones."""
    best: tuple[Match, MatchedBy] | None = None
    for kind, those in texts.items():
        for text in those:
            found = match(query, text)
            if found is not None and (best is None or found < best[0]):
                best = found, kind
    return best
