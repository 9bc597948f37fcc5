from datetime import datetime
from enum import Enum
from typing import Protocol

import msgspec

from core.derivatives import ImageUrls
from core.identifiers import ArtworkId, StyleId, UserId
from core.paging import Page, PageRequest
from core.requester import Requester
from core.styles.version import Review, TrainingProgress
from core.tasks.outcome import Failure


class StyleSort(Enum):
    RECENT = "recent"
    POPULAR = "popular"
    """By the artist's followers, then newest."""


class StyleArtist(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    artist_name: str


class StyleCard(msgspec.Struct, frozen=True):
    """A style in a list."""

    id: StyleId
    name: str
    description: str
    thumbnail_url: str | None
    """The artist's own thumbnail; else a signed URL of the first sample; None if samples are not allowed."""
    images: ImageUrls | None
    """`thumbnail_url` in all sizes."""
    artist: StyleArtist
    training_status: str
    generation_cost_tokens: int
    license_type: str
    usage_count: int
    """Completed images."""
    tags: list[str]
    created_at: datetime


class CheckingProgress(msgspec.Struct, frozen=True):
    """How far the uploaded artworks are checked, before the training."""

    checked_files: int
    total_files: int
    progress_percent: float
    last_updated: datetime


class OwnStyleCard(StyleCard, frozen=True):
    total_earned_tokens: int
    progress: TrainingProgress | None
    checking: CheckingProgress | None


class StyleDetailArtist(StyleArtist, frozen=True):
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""
    follower_count: int


LIKED = 50
"""The number of latest public images over which likes are averaged."""


class StyleStats(msgspec.Struct, frozen=True):
    total_generations: int
    """Completed images."""
    avg_likes: float
    """Likes per public image, over the latest 50; 0 without any."""


class ArtworkView(msgspec.Struct, frozen=True):
    id: ArtworkId
    image_url: str
    """A short-lived signed URL."""
    caption: str | None
    tags: list[str]
    width: int
    height: int


class SampleArtwork(msgspec.Struct, frozen=True):
    id: ArtworkId
    image_url: str
    """A short-lived signed URL."""
    images: ImageUrls
    tags: list[str]


class StyleDetail(msgspec.Struct, frozen=True):
    id: StyleId
    name: str
    description: str
    thumbnail_url: str | None
    images: ImageUrls | None
    """`thumbnail_url` in all sizes."""
    artist: StyleDetailArtist
    training_status: str
    generation_cost_tokens: int
    license_type: str
    usage_count: int
    tags: list[str]
    created_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    is_active: bool
    version: int
    """The version in use."""
    updated_at: datetime
    stats: StyleStats
    sample_artworks: list[SampleArtwork]
    """Copies of the first training images; empty if the artist does not allow it."""
    progress: TrainingProgress | None


class RightsView(msgspec.Struct, frozen=True):
    affirmed_by: UserId
    """Always the artist."""
    affirmed_at: datetime
    explicit: bool
    """Whether the request affirmed the rights; False if it left the field out, which means the same."""
    version: int
    """The version of the terms."""


class TakedownView(msgspec.Struct, frozen=True):
    at: datetime
    reason: str
    by_admin: bool
    keeps_images: bool
    """Whether published images stay public."""
    pending: bool
    """Whether queued generations are still being cancelled, or published images hidden."""


class VersionCard(msgspec.Struct, frozen=True):
    """A version of a style, for its owner and admins."""

    version: int
    in_use: bool
    """Whether generations are requested with it from now on."""
    training_status: str
    artwork_count: int
    """0 until they are checked."""
    progress: TrainingProgress | None
    checking: CheckingProgress | None
    """While its uploads are being checked."""
    failure: Failure | None
    review: Review | None
    model_path: str | None
    training_metric: dict[str, object] | None
    rights: RightsView
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class VersionDetail(VersionCard, frozen=True):
    artworks: list[ArtworkView]


VersionCards = list[VersionCard]


class OwnStyleDetail(StyleDetail, frozen=True):
    """With fields that only the owner and admins see: of the version in use, where versions differ."""

    model_path: str | None
    training_metric: dict[str, object] | None
    artworks: list[ArtworkView]
    failure: Failure | None
    checking: CheckingProgress | None
    """While the style is pending because its uploads are being checked."""
    rights: RightsView
    takedown: TakedownView | None
    review: Review | None
    """Of artworks that resemble another artist's: while `pending`, the training waits for an admin."""


NEAR_COPIES = 50
"""The maximum number of near copies that are shown."""


class ComparedArtwork(msgspec.Struct, frozen=True):
    id: ArtworkId
    image_url: str
    """A short-lived signed URL."""
    style_id: StyleId
    style_name: str
    artist: StyleArtist


class NearCopyView(msgspec.Struct, frozen=True):
    """An artwork beside the one of another artist that it resembles."""

    artwork: ComparedArtwork
    resembles: ComparedArtwork
    distance: int
    """The number of bits of 64 by which their perceptual hashes differ."""


NearCopies = list[NearCopyView]


def checking_progress(passed: int, files: int, at: datetime) -> CheckingProgress:
    return CheckingProgress(passed, files, round(100 * passed / files, 1), at)


RECOMMENDED = 20
"""The maximum number of recommended tags."""


class RecommendedTag(msgspec.Struct, frozen=True):
    name: str
    count: int
    """Artworks with the tag and published images with it in their prompts."""


RecommendedTags = list[RecommendedTag]


class CreatedStyle(msgspec.Struct, frozen=True):
    id: StyleId
    name: str
    training_status: str
    artwork_count: int
    created_at: datetime
    progress: TrainingProgress | None


class CreatedVersion(msgspec.Struct, frozen=True):
    style_id: StyleId
    version: int
    training_status: str
    created_at: datetime


class StyleQuery(msgspec.Struct, frozen=True):
    """Filters; all apply."""

    sort: StyleSort = StyleSort.RECENT
    tags: list[str] = []
    """Styles must have all of them."""
    artist_id: UserId | None = None
    own_unfinished: UserId | None = None
    """Includes this user's own styles whose training is not completed."""


class StylesReader(Protocol):
    async def list(self, query: StyleQuery, *, page: PageRequest) -> Page[StyleCard]:
        """Trained, active styles."""
        ...

    async def list_own(self, artist_id: UserId, *, page: PageRequest) -> Page[OwnStyleCard]:
        """All styles of an artist in any state, newest first."""
        ...

    async def detail(self, style_id: StyleId, *, viewer: Requester | None) -> StyleDetail | OwnStyleDetail:
        """An OwnStyleDetail for the owner and admins; others see trained styles only, closed or not.

        Raises StyleNotFound.
        """
        ...

    async def recommended_tags(self, style_id: StyleId, *, viewer: Requester | None) -> RecommendedTags:
        """Up to RECOMMENDED tags most frequent in its artworks and in prompts of its published images, then by name.

        Visible like the style. Prompts of unpublished images are not counted, not even for their owner. Raises
        StyleNotFound.
        """
        ...

    async def near_copies(self, style_id: StyleId) -> NearCopies:
        """Up to NEAR_COPIES artworks of other artists that those of its latest version resemble, nearest first; for
        admins.

        Empty for a missing style.
        """
        ...


class StyleVersionsReader(Protocol):
    """For the style's owner and admins; others get Forbidden, or StyleNotFound if the style is not visible to them."""

    async def list(self, style_id: StyleId, *, viewer: Requester) -> VersionCards:
        """All versions of a style, newest first. Raises StyleNotFound."""
        ...

    async def detail(self, style_id: StyleId, number: int, *, viewer: Requester) -> VersionDetail:
        """Raises VersionNotFound or StyleNotFound."""
        ...
