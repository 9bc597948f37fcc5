"""Versions of a style: each is trained on its own artworks and has its own model."""

from datetime import datetime, timedelta
from enum import Enum

import msgspec

from core.identifiers import ArtworkId, StyleId, TaskId, VersionId
from core.styles.errors import ArtworksRejected, NotInReview, TrainingInProgress
from core.tasks.outcome import Failure
from core.tasks.progress import whole
from core.terms import TERMS_VERSION

MIN_ARTWORKS = 10
MAX_ARTWORKS = 100
MIN_SIDE = 512
"""Pixels."""
MAX_IMAGE = 10 * 1024 * 1024
"""Bytes."""
MAX_CAPTION = 500
MAX_IMAGE_TAGS = 50
"""Tags per training image."""
MAX_VERSIONS = 20
"""Versions of a style."""
SAMPLES = 4
"""Training images shown as samples if the artist allows it."""
SAMPLE_SIDE = 1024
"""The longest side of a sample, in pixels."""
RETRY_UNDECIDED = timedelta(minutes=10)
"""For how long after a retry a failure is attributed to the old task, unless progress has come since."""
NEAR = 7
"""Bits of 64 by which the perceptual hashes of an image and of a near copy differ at most.

As measured, those of resized, recompressed, grey or slightly brighter copies differ by up to 4, of copies cropped by a
twentieth by up to 8, and of different images by 14 and more.
"""


ARTWORKS_REJECTED = Failure("ARTWORKS_REJECTED", "The artworks resemble those of another artist.")
"""Why a version failed whose training was not approved."""


class TrainingStatus(Enum):
    PENDING = "pending"
    TRAINING = "training"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (TrainingStatus.COMPLETED, TrainingStatus.FAILED)


class Review(Enum):
    """Of a version with near copies of another artist's artworks."""

    PENDING = "pending"
    """Its training waits for an admin."""
    APPROVED = "approved"
    REJECTED = "rejected"


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
    version_id: VersionId
    index: int
    key: str
    format: str
    width: int
    height: int
    size: int
    """Bytes."""
    digest: bytes
    """SHA-256 of the image."""
    caption: str | None
    tags: list[str]
    sample_key: str | None = None
    """The key of the public sample copy, or None."""
    perceptual_hash: int | None = None
    """64 bits; None if the image has too little detail."""


class Rights(msgspec.Struct, frozen=True):
    """The artist's affirmation to own the rights to the training images."""

    affirmed_at: datetime
    explicit: bool
    """Whether the request said so; False if it left the field out, which means the same."""
    version: int = TERMS_VERSION
    """The version of the affirmed text."""


class NearCopy(msgspec.Struct, frozen=True):
    """An artwork of another artist whose perceptual hash differs from a wanted one by at most NEAR bits."""

    wanted: int
    """The place of the wanted hash in the list of them."""
    artwork_id: ArtworkId
    style_id: StyleId
    distance: int
    """The number of bits that differ."""


class StyleVersion(msgspec.Struct, frozen=True):
    """A training of a style, and its model. Once it is completed, it does not change."""

    id: VersionId
    style_id: StyleId
    number: int
    """Counts from 1 within the style."""
    task_id: TaskId
    """The current training task."""
    created_at: datetime
    updated_at: datetime
    rights: Rights
    training_status: TrainingStatus = TrainingStatus.PENDING
    model_path: str | None = None
    training_metric: dict[str, object] | None = None
    progress: TrainingProgress | None = None
    failure: Failure | None = None
    retried_at: datetime | None = None
    """When the owner last retried the training."""
    review: Review | None = None
    """None if no artwork resembled another artist's."""
    completed_at: datetime | None = None

    def complete_training(self, *, at: datetime, model_path: str, metric: dict[str, object] | None) -> "StyleVersion":
        return msgspec.structs.replace(
            self,
            training_status=TrainingStatus.COMPLETED,
            model_path=model_path,
            training_metric=metric,
            progress=None,
            failure=None,
            updated_at=at,
            completed_at=at,
        )

    def fail_training(self, *, at: datetime, failure: Failure) -> "StyleVersion":
        return msgspec.structs.replace(
            self, training_status=TrainingStatus.FAILED, failure=failure, progress=None, updated_at=at
        )

    def retrain(self, *, at: datetime, task_id: TaskId) -> "StyleVersion":
        if self.review is Review.REJECTED:
            raise ArtworksRejected
        if self.training_status is not TrainingStatus.FAILED:
            raise TrainingInProgress
        return msgspec.structs.replace(
            self, training_status=TrainingStatus.PENDING, task_id=task_id, failure=None, retried_at=at, updated_at=at
        )

    def hold_for_review(self) -> "StyleVersion":
        return msgspec.structs.replace(self, review=Review.PENDING)

    def approve_training(self, *, at: datetime) -> "StyleVersion":
        if self.review is not Review.PENDING:
            raise NotInReview
        return msgspec.structs.replace(self, review=Review.APPROVED, updated_at=at)

    def reject_training(self, *, at: datetime) -> "StyleVersion":
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
