from datetime import datetime, timedelta
from enum import Enum

import msgspec

from core.generations.errors import (
    GenerationEnded,
    GenerationHidden,
    GenerationNotCompleted,
    GenerationNotFound,
    GenerationStillProcessing,
)
from core.identifiers import GenerationId, HoldId, StyleId, TaskId, UserId
from core.styles.model import License
from core.tasks.outcome import Failure
from core.tasks.progress import whole

MAX_PROMPT_TAGS = 75
MAX_DESCRIPTION = 1000
MAX_SEED = 2**32 - 1
RETRY_DELAYS = (timedelta(seconds=0), timedelta(seconds=30), timedelta(seconds=120))
"""Delays before the second, third and fourth attempt."""
MAX_ATTEMPTS = 1 + len(RETRY_DELAYS)
FINAL = frozenset({"GENERATION_ERROR", "GENERATION_FAILED", "INVALID_PROMPT", "MODEL_NOT_FOUND"})
RETRYABLE = frozenset({"GPU_OOM", "OOM_ERROR", "TIMEOUT", "NETWORK_ERROR"})
"""Failure codes for which a new task is put. For codes in neither set the inference server retries by itself."""
RESULTS = "generations/"
"""Prefix of the keys that are accepted as results of the inference server."""


STYLE_WITHDRAWN = Failure("STYLE_WITHDRAWN", "The style was withdrawn.")
"""Why a queued generation was cancelled that its owner did not cancel."""


class Consequence(Enum):
    """What follows from a reported failure."""

    NEW_TASK = "new task"
    SERVER_RETRIES = "server retries"
    """The attempt failed but not the task: the server has two more attempts and reports their results."""
    END = "end"


class Status(Enum):
    QUEUED = "queued"
    PROCESSING = "processing"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class AspectRatio(Enum):
    SQUARE = "1:1"
    LARGE_SQUARE = "2:2"
    PORTRAIT = "1:2"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return _SIZES[self]


_SIZES = {
    AspectRatio.SQUARE: (512, 512),
    AspectRatio.LARGE_SQUARE: (1024, 1024),
    AspectRatio.PORTRAIT: (512, 1024),
}


class GenerationProgress(msgspec.Struct, frozen=True):
    current_step: int
    total_steps: int
    progress_percent: float
    estimated_seconds: int | None
    last_updated: datetime

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "progress_percent", whole(self.progress_percent))


class Generation(msgspec.Struct, frozen=True):
    id: GenerationId
    owner_id: UserId
    style_id: StyleId
    artist_id: UserId
    consumed_tokens: int
    """The style's price at the time of the request."""
    license_type: License
    """The style's licence at the time of the request."""
    license_version: int
    """The version of the terms that say what the licence permits."""
    style_version: int
    """The number of the version whose model makes the image, also after another one was chosen."""
    hold_id: HoldId
    aspect_ratio: AspectRatio
    seed: int | None
    prompt_tags: list[str]
    description: str | None
    task_id: TaskId
    """The task of the current attempt."""
    created_at: datetime
    updated_at: datetime
    status: Status = Status.QUEUED
    attempt: int = 1
    progress: GenerationProgress | None = None
    result_key: str | None = None
    public_key: str | None = None
    """The key of the public copy; None while the image is private."""
    failure: Failure | None = None
    metadata: dict[str, object] = {}
    """Metadata that the inference server reported."""
    ended_at: datetime | None = None
    due_at: datetime | None = None
    """When the current attempt is to start; None for the first, which starts at once."""
    attempt_failed_at: datetime | None = None
    """When the server reported a failed attempt that it retries by itself, if nothing was reported since."""
    fee_tokens: int = 0
    """The platform's share of the price."""
    hidden: bool = False
    """Hidden by an admin: private, and not to be published."""

    @property
    def earned_tokens(self) -> int:
        """The artist's share of the price."""
        return self.consumed_tokens - self.fee_tokens

    @property
    def is_public(self) -> bool:
        return self.public_key is not None

    @property
    def last_activity_at(self) -> datetime:
        """Time of the last webhook of the current attempt, or the time the attempt was due."""
        if self.progress:
            return self.progress.last_updated
        return self.attempt_failed_at or self.due_at or self.created_at

    @property
    def awaits_new_task(self) -> bool:
        """Whether a new task was put after the last failure and no server has reported on it yet."""
        return self.status is Status.RETRYING and self.attempt_failed_at is None

    def visible_to(self, viewer: UserId) -> bool:
        """Whether the image exists and is visible to the viewer."""
        return self.status is Status.COMPLETED and (self.is_public or self.owner_id == viewer)

    def check_visible_to(self, viewer: UserId) -> None:
        """Raises GenerationNotFound if the image does not exist or is not visible to the viewer."""
        if not self.visible_to(viewer):
            raise GenerationNotFound

    def complete(
        self, *, at: datetime, result_key: str, metadata: dict[str, object], fee_tokens: int = 0
    ) -> "Generation":
        return msgspec.structs.replace(
            self,
            status=Status.COMPLETED,
            result_key=result_key,
            metadata=metadata,
            progress=None,
            failure=None,
            attempt_failed_at=None,
            updated_at=at,
            ended_at=at,
            fee_tokens=fee_tokens,
        )

    def fail(self, *, at: datetime, failure: Failure) -> "Generation":
        return msgspec.structs.replace(
            self,
            status=Status.FAILED,
            failure=failure,
            progress=None,
            attempt_failed_at=None,
            updated_at=at,
            ended_at=at,
        )

    def record_late_result(self, *, at: datetime, result_key: str, metadata: dict[str, object]) -> "Generation":
        """Records an image that arrives after the generation ended; only the first one, and nothing else changes."""
        late = {"result_key": result_key, "at": at.isoformat(), "metadata": metadata}
        return msgspec.structs.replace(self, metadata={"late_result": late, **self.metadata})

    def cancel(self, *, at: datetime) -> "Generation":
        if self.status.ended:
            raise GenerationEnded
        if self.status is not Status.QUEUED:
            raise GenerationStillProcessing
        return msgspec.structs.replace(self, status=Status.CANCELLED, updated_at=at, ended_at=at)

    def withdraw(self, *, at: datetime) -> "Generation":
        """Cancels the generation because its style was withdrawn. Raises what `cancel` raises."""
        return msgspec.structs.replace(self.cancel(at=at), failure=STYLE_WITHDRAWN)

    def abandon(self, *, at: datetime) -> "Generation":
        """Ends the generation because its owner's account is deleted, whether started or not."""
        return msgspec.structs.replace(
            self, status=Status.CANCELLED, progress=None, attempt_failed_at=None, updated_at=at, ended_at=at
        )

    def retry_by_server(self, *, at: datetime, failure: Failure) -> "Generation":
        """The server's retry starts at step 0, so the progress of the failed attempt is discarded."""
        return msgspec.structs.replace(
            self, status=Status.RETRYING, failure=failure, progress=None, attempt_failed_at=at, updated_at=at
        )

    def retry(self, *, at: datetime, due: datetime, failure: Failure, task_id: TaskId) -> "Generation":
        return msgspec.structs.replace(
            self,
            status=Status.RETRYING,
            attempt=self.attempt + 1,
            task_id=task_id,
            failure=failure,
            progress=None,
            attempt_failed_at=None,
            due_at=due,
            updated_at=at,
        )

    def consequence(self, failure: Failure, *, retry_count: int | None) -> Consequence:
        if failure.code in RETRYABLE:
            given_up = retry_count is not None and retry_count >= len(RETRY_DELAYS)
            return Consequence.END if given_up or self.attempt >= MAX_ATTEMPTS else Consequence.NEW_TASK
        return Consequence.END if failure.code in FINAL else Consequence.SERVER_RETRIES

    @property
    def retry_delay(self) -> timedelta:
        """The delay before the next task; only for Consequence.NEW_TASK."""
        return RETRY_DELAYS[self.attempt - 1]

    def edit(self, *, at: datetime, description: str | None, public_key: str | None) -> "Generation":
        if self.status is not Status.COMPLETED and public_key is not None:
            raise GenerationNotCompleted
        if self.hidden and public_key is not None:
            raise GenerationHidden
        return msgspec.structs.replace(self, description=description, public_key=public_key, updated_at=at)

    def hide(self, *, at: datetime) -> "Generation":
        return msgspec.structs.replace(self, hidden=True, public_key=None, updated_at=at)

    def unhide(self, *, at: datetime) -> "Generation":
        """Returns the image as its owner may publish it again; it stays private."""
        return msgspec.structs.replace(self, hidden=False, updated_at=at)
