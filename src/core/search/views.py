from enum import Enum
from typing import Protocol

import msgspec

from core.derivatives import ImageUrls
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
    images: ImageUrls | None
    """`thumbnail_url` in all sizes."""
    artist: StyleArtist
    matched_by: MatchedBy
    """What matches better; the name if both match equally."""
    usage_count: int


class FoundArtist(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    artist_name: str
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""
    follower_count: int
    matched_by: MatchedBy
    """Always `name`: the artist name or the username."""


class Found(msgspec.Struct, frozen=True):
    styles: list[FoundStyle]
    artists: list[FoundArtist]


class UsedTag(msgspec.Struct, frozen=True):
    id: TagId
    name: str
    usage_count: int
    """Usable styles and public images with this tag; private ones are not counted."""


CANDIDATES = 100
"""The number of matches of each kind that are ranked, and so the maximum limit."""


class SearchReader(Protocol):
    async def search(self, text: str, *, type: SearchType, limit: int) -> Found:
        """Up to `limit` usable styles and artists each, best match first.

        Equal matches are ordered by usage (styles) or followers (artists); if more than CANDIDATES match equally, an
        arbitrary subset is ranked. Raises ValidationError for a text that no name can contain.
        """
        ...

    async def tags(self, text: str, *, limit: int) -> list[UsedTag]:
        """Up to `limit` tags in use that begin with a text (empty: all), most used first, then by name.

        Raises ValidationError for a text that is longer than any tag.
        """
        ...
