from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

import msgspec

from core.generations.model import GenerationProgress
from core.identifiers import GenerationId, StyleId, UserId
from core.paging import Page, PageRequest


class FeedSort(Enum):
    RECENT = "recent"
    POPULAR = "popular"
    """By likes, then newest."""


class StatusFilter(Enum):
    ALL = "all"
    QUEUED = "queued"
    PROCESSING = "processing"
    """Retrying ones as well."""
    COMPLETED = "completed"
    FAILED = "failed"
    """Cancelled ones as well."""


LATEST = 20
"""Completed images by which the wait is estimated: those that ended last."""
FIRST_GUESS = timedelta(seconds=30)
"""What an image takes, until one has been made."""


FARTHEST = 10_000
"""The last place that is told from those behind it: counting on would make a long queue longer."""


class QueuePlace(msgspec.Struct, frozen=True):
    position: int
    """1 is next; FARTHEST and all beyond are FARTHEST."""
    estimated_seconds: int
    """Until the image is there."""

    @classmethod
    def at(cls, position: int, *, quickest: timedelta | None) -> "QueuePlace":
        """The place behind `position - 1` others, of which no more than FARTHEST need be counted.

        Who has been taken up already, and so is counted no more, was next: 1 all the same.

        `quickest` is the least time from request to end among the LATEST, None before the first: the one that waited
        least tells best what an image itself takes.
        """
        takes = FIRST_GUESS if quickest is None else quickest
        position = min(max(position, 1), FARTHEST)
        return cls(position, round(position * takes.total_seconds()))


class GenerationUser(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    profile_image: str | None


class GenerationArtist(msgspec.Struct, frozen=True):
    id: UserId
    artist_name: str


class GenerationStyle(msgspec.Struct, frozen=True):
    id: StyleId
    name: str
    artist: GenerationArtist


class RequestedGeneration(msgspec.Struct, frozen=True):
    id: GenerationId
    user_id: UserId
    style_id: StyleId
    status: str
    consumed_tokens: int
    aspect_ratio: str
    created_at: datetime
    progress: GenerationProgress | None
    queue: QueuePlace | None
    """None when it is queued, but its place cannot be told."""


class GenerationView(msgspec.Struct, frozen=True):
    id: GenerationId
    user_id: UserId
    user: GenerationUser
    style: GenerationStyle
    status: str
    consumed_tokens: int
    aspect_ratio: str
    seed: int | None
    tags: list[str]
    description: str | None
    is_public: bool
    like_count: int
    comment_count: int
    is_liked: bool
    result_url: str | None
    """Plain while it is public, signed for a short while for its owner otherwise."""
    progress: GenerationProgress | None
    queue: QueuePlace | None
    """While it is queued."""
    error_message: str | None
    """Why it failed; None unless it has."""
    refunded: bool
    created_at: datetime
    updated_at: datetime


class FeedItem(msgspec.Struct, frozen=True):
    id: GenerationId
    user: GenerationUser
    style: GenerationStyle
    result_url: str
    description: str | None
    aspect_ratio: str
    like_count: int
    comment_count: int
    is_liked: bool
    tags: list[str]
    created_at: datetime


class FeedQuery(msgspec.Struct, frozen=True):
    """Which public images: all conditions hold at once."""

    sort: FeedSort = FeedSort.RECENT
    tags: list[str] = []
    """All of them."""
    user_id: UserId | None = None
    style_id: StyleId | None = None
    followed_by: UserId | None = None
    """Of people whom this user follows."""


class GenerationsReader(Protocol):
    async def detail(self, generation_id: GenerationId, *, viewer: UserId | None) -> GenerationView:
        """For its owner, and for anybody once it is public and completed. Raises GenerationNotFound otherwise."""
        ...

    async def feed(self, query: FeedQuery, *, viewer: UserId | None, page: PageRequest) -> Page[FeedItem]:
        """Public, completed images."""
        ...

    async def list_own(
        self, owner_id: UserId, *, status: StatusFilter, is_public: bool | None, page: PageRequest
    ) -> Page[GenerationView]:
        """Newest first."""
        ...

    async def last_in_queue(self) -> QueuePlace:
        """The place of whoever came last, as of at most a second ago; it costs no more in a long queue."""
        ...
