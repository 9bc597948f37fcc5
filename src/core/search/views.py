from enum import Enum
from typing import Protocol

import msgspec

from core.identifiers import StyleId, TagId, UserId
from core.search.matching import MatchedBy
from core.styles.views import StyleArtist


class SearchType(Enum):
    ALL = "all"
    STYLES = "styles"
    ARTISTS = "artists"


class FoundStyle(msgspec.Struct, frozen=True):
    id: StyleId
    name: str
    thumbnail_url: str | None
    artist: StyleArtist
    matched_by: MatchedBy
    """Its name or a tag: what matches better, the name where both match alike."""
    usage_count: int


class FoundArtist(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    artist_name: str
    profile_image: str | None
    follower_count: int
    matched_by: MatchedBy
    """Always `name`: the artist's name or the username."""


class Found(msgspec.Struct, frozen=True):
    styles: list[FoundStyle]
    artists: list[FoundArtist]


class UsedTag(msgspec.Struct, frozen=True):
    id: TagId
    name: str
    usage_count: int
    """Styles that can be used and public images that it finds now: what is private shows nowhere."""


CANDIDATES = 100
"""Matches of each kind that are compared, so also the most that can be asked for."""


class SearchReader(Protocol):
    async def search(self, text: str, *, type: SearchType, limit: int) -> Found:
        """Up to `limit` of each, the best match first: styles that can be used, and artists.

        Of equally good matches the most used style, or the most followed artist, comes first, as far as CANDIDATES go:
        where more match equally well, some are taken. Raises ValidationError for a text that nothing can be called.
        """
        ...

    async def tags(self, text: str, *, limit: int) -> list[UsedTag]:
        """Up to `limit` tags that begin with a text, all for an empty one: the most used first, then by name.

        Only tags that are in use. Raises ValidationError for a text that is longer than any tag.
        """
        ...
