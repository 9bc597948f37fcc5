from datetime import datetime, timedelta
from enum import Enum

import msgspec

from core.errors import Forbidden, ValidationError
from core.identifiers import ArtworkId, StyleId, TaskId, UserId
from core.problems import Problem, not_after, wrong_token_amount
from core.styles.errors import (
    ArtworksRejected,
    ImagesWithdrawn,
    NotInReview,
    StyleClosed,
    StyleNotFound,
    StyleNotReady,
    StyleWithdrawn,
    TrainingInProgress,
)
from core.tasks.outcome import Failure
from core.tasks.progress import whole
from core.terms import TERMS_VERSION
from core.text import problem_of_free_text

MIN_ARTWORKS = 10
MAX_ARTWORKS = 100
MIN_SIDE = 512
"""Pixels."""
MAX_IMAGE = 10 * 1024 * 1024
"""Bytes."""
MAX_NAME = 100
MAX_DESCRIPTION = 2000
MAX_CAPTION = 500
MAX_PRICE = 10_000
"""Tokens per generation."""
MAX_TAGS = 50
"""Tags of the style itself."""
MAX_IMAGE_TAGS = 50
"""Tags per training image."""
SAMPLES = 4
"""Training images shown as samples if the artist allows it."""
RETRY_UNDECIDED = timedelta(minutes=10)
"""For how long after a retry a failure is attributed to the old task, unless progress has come since."""
NEAR = 7
"""Bits of 64 by which the perceptual hashes of an image and of a near copy differ at most.

As measured, those of resized, recompressed, grey or slightly brighter copies differ by up to 4, of copies cropped by a
twentieth by up to 8, and of different images by 14 and more.
"""
SAMPLE_SIDE = 1024
"""The longest side of a sample, in pixels."""


ARTWORKS_REJECTED = Failure("ARTWORKS_REJECTED", "The artworks resemble those of another artist.")
"""Why a style failed whose training was not approved."""


class TrainingStatus(Enum):
    PENDING = "pending"
    TRAINING = "training"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (TrainingStatus.COMPLETED, TrainingStatus.FAILED)


class Review(Enum):
    """Of a style with near copies of another artist's artworks."""

    PENDING = "pending"
    """Its training waits for an admin."""
    APPROVED = "approved"
    REJECTED = "rejected"


class License(Enum):
    PERSONAL = "personal"
    COMMERCIAL = "commercial"
    EXCLUSIVE = "exclusive"


class Rights(msgspec.Struct, frozen=True):
    """The artist's affirmation to own the rights to the training images."""

    affirmed_at: datetime
    explicit: bool
    """Whether the request said so; False if it left the field out, which means the same."""
    version: int = TERMS_VERSION
    """The version of the affirmed text."""


class Takedown(msgspec.Struct, frozen=True):
    """How a style was withdrawn."""

    at: datetime
    reason: str
    by_admin: bool
    """Otherwise by its artist."""
    keeps_images: bool
    """Whether published images stay public."""
    pending: bool = True
    """Whether there may be queued generations to cancel, or published images to hide."""

    def finish(self) -> "Takedown":
        return msgspec.structs.replace(self, pending=False)


class TrainingProgress(msgspec.Struct, frozen=True):
    current_epoch: int
    total_epochs: int
    progress_percent: float
    estimated_seconds: int | None
    last_updated: datetime

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "progress_percent", whole(self.progress_percent))


class Artwork(msgspec.Struct, frozen=True):
    """A training image, private to the artist."""

    id: ArtworkId
    style_id: StyleId
    index: int
    key: str
    format: str
    width: int
    height: int
    size: int
    """Bytes."""
    caption: str | None
    tags: list[str]
    sample_key: str | None = None
    """The key of the public sample copy, or None."""
    perceptual_hash: int | None = None
    """64 bits; None if the image has too little detail."""


class NearCopy(msgspec.Struct, frozen=True):
    """An artwork of another artist whose perceptual hash differs from a wanted one by at most NEAR bits."""

    wanted: int
    """The place of the wanted hash in the list of them."""
    artwork_id: ArtworkId
    style_id: StyleId
    distance: int
    """The number of bits that differ."""


class Style(msgspec.Struct, frozen=True):
    id: StyleId
    artist_id: UserId
    name: str
    description: str
    generation_cost_tokens: int
    license_type: License
    tags: list[str]
    task_id: TaskId
    """The current training task."""
    created_at: datetime
    updated_at: datetime
    rights: Rights
    training_status: TrainingStatus = TrainingStatus.PENDING
    is_active: bool = True
    show_samples: bool = True
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    model_path: str | None = None
    training_metric: dict[str, object] | None = None
    progress: TrainingProgress | None = None
    failure: Failure | None = None
    closed_by_admin: bool = False
    """The artist cannot open it."""
    retried_at: datetime | None = None
    """When the owner last retried the training."""
    thumbnail_key: str | None = None
    """The key of the thumbnail that the artist uploaded; None if a sample is used."""
    takedown: Takedown | None = None
    review: Review | None = None
    """None if no artwork resembled another artist's."""

    def check_owner(self, user_id: UserId) -> None:
        """Raises Forbidden, or StyleNotFound if others may not know that the style exists."""
        if user_id != self.artist_id:
            raise Forbidden if self.training_status is TrainingStatus.COMPLETED else StyleNotFound

    def complete_training(self, *, at: datetime, model_path: str, metric: dict[str, object] | None) -> "Style":
        return msgspec.structs.replace(
            self,
            training_status=TrainingStatus.COMPLETED,
            model_path=model_path,
            training_metric=metric,
            progress=None,
            failure=None,
            updated_at=at,
        )

    def fail_training(self, *, at: datetime, failure: Failure) -> "Style":
        return msgspec.structs.replace(
            self, training_status=TrainingStatus.FAILED, failure=failure, progress=None, updated_at=at
        )

    def retrain(self, *, at: datetime, task_id: TaskId) -> "Style":
        if self.takedown:
            raise StyleWithdrawn
        if self.review is Review.REJECTED:
            raise ArtworksRejected
        if self.training_status is not TrainingStatus.FAILED:
            raise TrainingInProgress
        return msgspec.structs.replace(
            self, training_status=TrainingStatus.PENDING, task_id=task_id, failure=None, retried_at=at, updated_at=at
        )

    def approve_training(self, *, at: datetime) -> "Style":
        if self.review is not Review.PENDING:
            raise NotInReview
        if self.takedown:
            raise StyleWithdrawn
        return msgspec.structs.replace(self, review=Review.APPROVED, updated_at=at)

    def reject_training(self, *, at: datetime) -> "Style":
        if self.review is not Review.PENDING:
            raise NotInReview
        return msgspec.structs.replace(self.fail_training(at=at, failure=ARTWORKS_REJECTED), review=Review.REJECTED)

    def fails_with_old_task(self, *, at: datetime) -> bool:
        """Whether a failure reported `at` this time is attributed to the task before the retry.

        Webhooks name no task, and the training server repeats a failed one by itself. While a retry is pending and has
        reported no progress, a failure within RETRY_UNDECIDED belongs to the old task; later, or after progress, to the
        retry. A completion still counts afterwards, so a wrong guess costs a notification and no model.
        """
        pending = self.training_status is TrainingStatus.PENDING and self.retried_at is not None
        return pending and at < self.updated_at + RETRY_UNDECIDED

    def edit(
        self,
        *,
        at: datetime,
        description: str,
        generation_cost_tokens: int,
        license_type: License,
        valid_to: datetime | None,
        is_active: bool,
        show_samples: bool,
        thumbnail_key: str | None,
    ) -> "Style":
        if self.takedown:
            raise StyleWithdrawn
        if self.training_status is not TrainingStatus.COMPLETED:
            raise StyleNotReady
        if is_active and self.closed_by_admin:
            raise StyleClosed
        if problems := problems_of_terms(description, generation_cost_tokens, self.valid_from, valid_to):
            raise ValidationError(**problems)
        return msgspec.structs.replace(
            self,
            description=description,
            generation_cost_tokens=generation_cost_tokens,
            license_type=license_type,
            valid_to=valid_to,
            is_active=is_active,
            show_samples=show_samples,
            thumbnail_key=thumbnail_key,
            updated_at=at,
        )

    def withdraw(self, takedown: Takedown) -> "Style":
        """Closes the style for good.

        If it is withdrawn already, this only can withdraw its images too; otherwise nothing changes.
        """
        if self.takedown and (takedown.keeps_images or not self.takedown.keeps_images):
            return self
        at = takedown.at
        return msgspec.structs.replace(
            self,
            takedown=takedown,
            is_active=False,
            valid_to=at if self.valid_to is None else min(at, self.valid_to),
            show_samples=self.show_samples and takedown.keeps_images,
            thumbnail_key=self.thumbnail_key if takedown.keeps_images else None,
            updated_at=at,
        )

    def finish_takedown(self) -> "Style":
        return msgspec.structs.replace(self, takedown=self.takedown and self.takedown.finish())

    def check_publishable(self) -> None:
        """Raises ImagesWithdrawn."""
        if self.takedown and not self.takedown.keeps_images:
            raise ImagesWithdrawn

    def expired(self, *, at: datetime) -> bool:
        """Whether it is still active after the end of its validity."""
        return self.is_active and self.valid_to is not None and self.valid_to <= at

    def close_by_admin(self, *, at: datetime) -> "Style":
        return msgspec.structs.replace(self, is_active=False, closed_by_admin=True, updated_at=at)

    def allow(self, *, at: datetime) -> "Style":
        """Returns the style as its artist may open it again; it stays closed."""
        return msgspec.structs.replace(self, closed_by_admin=False, updated_at=at)

    def reopen(self, *, at: datetime) -> "Style":
        """Returns the style open, unless it was withdrawn or has expired."""
        expired = self.valid_to is not None and self.valid_to <= at
        return self if self.takedown or expired else msgspec.structs.replace(self, is_active=True, updated_at=at)

    def close(self, *, at: datetime) -> "Style":
        return msgspec.structs.replace(self, is_active=False, updated_at=at) if self.is_active else self


class Offer(msgspec.Struct, frozen=True):
    """What a generation request needs to know of the style."""

    style_id: StyleId
    artist_id: UserId
    generation_cost_tokens: int
    license_type: License
    training_status: TrainingStatus
    is_active: bool
    valid_from: datetime | None
    valid_to: datetime | None
    model_path: str | None
    signature_key: str

    def check_usable(self, requester: UserId, *, at: datetime) -> None:
        """Raises StyleNotReady, or StyleNotFound if others may not know that the style exists."""
        trained = self.training_status is TrainingStatus.COMPLETED
        if not trained and requester != self.artist_id:
            raise StyleNotFound
        usable = (
            trained
            and self.is_active
            and self.model_path is not None
            and (self.valid_from is None or self.valid_from <= at)
            and (self.valid_to is None or at < self.valid_to)
        )
        if not usable:
            raise StyleNotReady


def problems_of_terms(
    description: str, generation_cost_tokens: int, valid_from: datetime | None, valid_to: datetime | None
) -> dict[str, Problem]:
    """Problems with a style's terms, by field."""
    problems = {}
    if problem := problem_of_free_text(description, limit=MAX_DESCRIPTION):
        problems["description"] = problem
    if not 1 <= generation_cost_tokens <= MAX_PRICE:
        problems["generation_cost_tokens"] = wrong_token_amount(1, MAX_PRICE)
    if valid_from and valid_to and valid_to <= valid_from:
        problems["valid_to"] = not_after("valid_from")
    return problems
