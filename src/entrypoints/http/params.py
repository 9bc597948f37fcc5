"""Parameters that several routes share."""

from datetime import UTC, tzinfo
from functools import cache
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from litestar.params import PathParameter

from core.identifiers import MAX_ID
from core.tokens.views import unknown_zone

Id = TypeVar("Id", bound=int)

PathId = Annotated[Id, PathParameter(ge=1, le=MAX_ID)]
"""Outside of this range there is no such resource: 404."""


def time_zone(name: str) -> tzinfo:
    """The zone of that name in the IANA database. Raises ValidationError for another name."""
    if name == "UTC":
        return UTC  # works without the system's database
    if name not in _zone_names():
        raise unknown_zone()
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def comma_separated(texts: list[str]) -> list[str]:
    """The comma-separated parts of all texts."""
    return [part for text in texts for part in (piece.strip() for piece in text.split(",")) if part]
