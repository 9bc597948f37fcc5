from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

import msgspec

from core.derivatives import ImageUrls
from core.generations.model import GenerationProgress
from core.identifiers import GenerationId, StyleId, UserId
from core.paging import Page, PageRequest


class FeedSort(Enum):
    RECENT = "recent"
    POPULAR = "popular"
    """Most liked, then newest."""


class StatusFilter(Enum):
    ALL = "all"
    QUEUED = "queued"
    PROCESSING = "processing"
    """Includes retrying."""
    COMPLETED = "completed"
    FAILED = "failed"
    """Includes cancelled."""


LATEST = 20
"""The number of most recently completed images from which the wait is estimated."""
DEFAULT_ESTIMATE = timedelta(seconds=30)
"""The estimate until the first image is completed."""


MAX_POSITION = 10_000
"""The highest position reported: counting further would slow down a long queue."""


class QueuePlace(msgspec.Struct, frozen=True):
    position: int
    """1 is next; MAX_POSITION stands for itself and everything beyond."""
    estimated_seconds: int
    """Until the image is expected."""

    @classmethod
    def at(cls, position: int, *, quickest: timedelta | None) -> "QueuePlace":
        """The place at `position`, at least 1, capped at MAX_POSITION.

        A generation that has just started is no longer counted and gets position 1.

        `quickest` is the shortest time from request to end among the LATEST, None if there are none: the one that
        waited least is the best estimate of the processing time alone.
        """
        takes = DEFAULT_ESTIMATE if quickest is None else quickest
        position = min(max(position, 1), MAX_POSITION)
        return cls(position, round(position * takes.total_seconds()))


class GenerationUser(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""


class GenerationArtist(msgspec.Struct, frozen=True):
    id: UserId
    artist_name: str


class GenerationStyle(msgspec.Struct, frozen=True):
    id: StyleId
    name: str
    version: int
    """The version that the generation was requested with."""
    artist: GenerationArtist


class GrantedLicense(msgspec.Struct, frozen=True):
    type: str
    version: int
    """The version of the terms that say what it permits."""


class RequestedGeneration(msgspec.Struct, frozen=True):
    id: GenerationId
    user_id: UserId
    style_id: StyleId
    style_version: int
    status: str
    consumed_tokens: int
    aspect_ratio: str
    created_at: datetime
    progress: GenerationProgress | None
    queue: QueuePlace | None
    """None if it is queued but its place cannot be determined."""


class GenerationView(msgspec.Struct, frozen=True):
    id: GenerationId
    user_id: UserId
    user: GenerationUser
    style: GenerationStyle
    status: str
    consumed_tokens: int
    license: GrantedLicense
    """As at the request; later changes of the style or the terms do not affect it."""
    aspect_ratio: str
    seed: int | None
    tags: list[str]
    description: str | None
    is_public: bool
    like_count: int
    comment_count: int
    is_liked: bool
    result_url: str | None
    """The public URL, or for the owner of a private image a short-lived signed URL."""
    images: ImageUrls | None
    """`result_url` in all sizes; a private image has only its original."""
    progress: GenerationProgress | None
    queue: QueuePlace | None
    """Only while queued."""
    error_message: str | None
    """Why it failed, or was cancelled by others than its owner."""
    refunded: bool
    created_at: datetime
    updated_at: datetime


class FeedItem(msgspec.Struct, frozen=True):
    id: GenerationId
    user: GenerationUser
    style: GenerationStyle
    result_url: str
    images: ImageUrls
    """`result_url` in all sizes."""
    description: str | None
    aspect_ratio: str
    like_count: int
    comment_count: int
    is_liked: bool
    tags: list[str]
    created_at: datetime


class FeedQuery(msgspec.Struct, frozen=True):
    """Filters on public images; all apply."""

    sort: FeedSort = FeedSort.RECENT
    tags: list[str] = []
    """Images must have all of them."""
    user_id: UserId | None = None
    style_id: StyleId | None = None
    followed_by: UserId | None = None
    """Only images of users whom this user follows."""


class GenerationsReader(Protocol):
    async def detail(self, generation_id: GenerationId, *, viewer: UserId | None) -> GenerationView:
        """Visible to its owner, and to everyone once public and completed; otherwise raises GenerationNotFound."""
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
        """The last place in the queue, at most a second old. The cost does not grow with the queue."""
        ...
