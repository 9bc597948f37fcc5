from datetime import datetime
from enum import Enum

import msgspec

from core.identifiers import ArtworkId, StyleId, TaskId, UserId
from core.tasks.outcome import Failure

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
"""Tokens for one image."""
MAX_TAGS = 50
"""Tags that the artist gives the style itself."""
SAMPLES = 4
"""Training images that are shown as samples when the artist allows it."""


class TrainingStatus(Enum):
    PENDING = "pending"
    TRAINING = "training"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (TrainingStatus.COMPLETED, TrainingStatus.FAILED)


class License(Enum):
    PERSONAL = "personal"
    COMMERCIAL = "commercial"
    EXCLUSIVE = "exclusive"


class TrainingProgress(msgspec.Struct, frozen=True):
    current_epoch: int
    total_epochs: int
    progress_percent: float
    estimated_seconds: int | None
    last_updated: datetime


class Artwork(msgspec.Struct, frozen=True):
    """One training image, private to the owner."""

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


class Style(msgspec.Struct, frozen=True):
    id: StyleId
    artist_id: UserId
    name: str
    description: str
    generation_cost_tokens: int
    license_type: License
    tags: list[str]
    task_id: TaskId
    """The training task that counts."""
    created_at: datetime
    updated_at: datetime
    training_status: TrainingStatus = TrainingStatus.PENDING
    is_active: bool = True
    show_samples: bool = True
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    model_path: str | None = None
    training_metric: dict[str, object] | None = None
    progress: TrainingProgress | None = None
    failure: Failure | None = None

    def trained(self, *, at: datetime, model_path: str, metric: dict[str, object] | None) -> "Style":
        return msgspec.structs.replace(
            self,
            training_status=TrainingStatus.COMPLETED,
            model_path=model_path,
            training_metric=metric,
            progress=None,
            failure=None,
            updated_at=at,
        )

    def failed_training(self, *, at: datetime, failure: Failure) -> "Style":
        return msgspec.structs.replace(
            self, training_status=TrainingStatus.FAILED, failure=failure, progress=None, updated_at=at
        )


class Offer(msgspec.Struct, frozen=True):
    """What a request for an image needs to know of the style, as it is at that moment."""

    style_id: StyleId
    artist_id: UserId
    generation_cost_tokens: int
    training_status: TrainingStatus
    is_active: bool
    valid_from: datetime | None
    valid_to: datetime | None
    model_path: str | None
    signature_key: str

    def usable(self, *, at: datetime) -> bool:
        return (
            self.training_status is TrainingStatus.COMPLETED
            and self.is_active
            and self.model_path is not None
            and (self.valid_from is None or self.valid_from <= at)
            and (self.valid_to is None or at < self.valid_to)
        )
