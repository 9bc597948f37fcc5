"""The webhooks' bodies.

Only a missing or impossible id and an invalid key of a result are refused. Everything else is free text, which is
cleaned and cut, or a measurement, which counts as null if it has another type.
"""

from typing import Annotated, Any, Self, TypeVar

import msgspec
from msgspec import Meta

from core.errors import ValidationError
from core.identifiers import MAX_ID, GenerationId, VersionId
from core.tasks.outcome import UNKNOWN, Failure
from entrypoints.http.body import convert
from entrypoints.http.lenient import REPLACEMENT, read_object
from entrypoints.http.problems import INVALID_LOCATION

MAX_MESSAGE = 2000
"""Characters of an error message that are kept."""
MAX_CODE = 100
"""Characters of an error code that are kept."""
MAX_COUNT = 2**31 - 1
NO_REASON = "The AI server gave no reason."

Version = Annotated[VersionId, Meta(ge=1, le=MAX_ID)]
Generation = Annotated[GenerationId, Meta(ge=1, le=MAX_ID)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Location = Annotated[str, Meta(min_length=1, max_length=2000)]

Required = TypeVar("Required", bound=msgspec.Struct)


class OfVersion(msgspec.Struct, frozen=True):
    style_id: Version
    """The AI servers know each version as a style of its own."""


class OfGeneration(msgspec.Struct, frozen=True):
    generation_id: Generation


class TrainedModel(OfVersion, frozen=True):
    model_path: Location


class GeneratedImage(OfGeneration, frozen=True):
    result_url: Location


class Epochs(msgspec.Struct, frozen=True):
    current_epoch: Count = 0
    total_epochs: Count = 0
    progress_percent: Percent = 0.0
    estimated_seconds: Count | None = None


class Steps(msgspec.Struct, frozen=True):
    current_step: Count = 0
    total_steps: Count = 0
    progress_percent: Percent = 0.0
    estimated_seconds: Count | None = None


class TrainingProgressed(OfVersion, frozen=True):
    progress: Epochs = Epochs()

    @classmethod
    def read(cls, body: bytes) -> Self:
        plain = read_object(body)
        progress = Epochs(*_progress(plain.get("progress"), "current_epoch", "total_epochs"))
        return cls(_required(plain, OfVersion).style_id, progress)


class TrainingCompleted(TrainedModel, frozen=True):
    training_metric: dict[str, Any] | None = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        plain = read_object(body)
        required = _required(plain, TrainedModel)
        return cls(required.style_id, required.model_path, _kept(plain, cls, "training_metric"))


class TrainingFailed(OfVersion, frozen=True):
    error_message: str | None = None
    error_code: str | None = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        plain = read_object(body)
        return cls(_required(plain, OfVersion).style_id, _message(plain), _code(plain))

    @property
    def failure(self) -> Failure:
        return Failure(self.error_code or UNKNOWN, self.error_message or NO_REASON)


class GenerationProgressed(OfGeneration, frozen=True):
    progress: Steps = Steps()

    @classmethod
    def read(cls, body: bytes) -> Self:
        plain = read_object(body)
        progress = Steps(*_progress(plain.get("progress"), "current_step", "total_steps"))
        return cls(_required(plain, OfGeneration).generation_id, progress)


class GenerationCompleted(GeneratedImage, frozen=True):
    metadata: dict[str, Any] | None = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        plain = read_object(body)
        required = _required(plain, GeneratedImage)
        return cls(required.generation_id, required.result_url, _kept(plain, cls, "metadata"))


class GenerationFailed(OfGeneration, frozen=True):
    error_message: str | None = None
    error_code: str | None = None
    retry_count: Count | None = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        plain = read_object(body)
        generation_id = _required(plain, OfGeneration).generation_id
        return cls(generation_id, _message(plain), _code(plain), _whole(plain.get("retry_count")))

    @property
    def failure(self) -> Failure:
        return Failure(self.error_code or UNKNOWN, self.error_message or NO_REASON)


def _required(plain: dict[str, object], type_: type[Required]) -> Required:
    """Raises ValidationError; a key in which characters were replaced names no object."""
    required = convert(plain, type_, strict=True)
    for name, value in msgspec.structs.asdict(required).items():
        if isinstance(value, str) and REPLACEMENT in value:
            raise ValidationError(**{name: INVALID_LOCATION})
    return required


def _progress(value: object, current: str, total: str) -> tuple[int, int, float, int | None]:
    """Two counts, percentage and estimate. An unknown count is 0; an unknown percentage is that of the counts."""
    plain = value if isinstance(value, dict) else {}
    done, of = _whole(plain.get(current)) or 0, _whole(plain.get(total)) or 0
    percent = _number(plain.get("progress_percent"))
    if percent is None:
        percent = 100 * done / of if of else 0.0
    return done, of, float(min(max(percent, 0), 100)), _whole(plain.get("estimated_seconds"))


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    """Rounded; None for what is no count."""
    number = _number(value)
    return round(number) if number is not None and 0 <= number <= MAX_COUNT else None


def _message(plain: dict[str, object]) -> str | None:
    message = plain.get("error_message")
    if message is None or isinstance(message, str):
        return message and message[:MAX_MESSAGE]
    return msgspec.json.encode(message).decode()[:MAX_MESSAGE]


def _code(plain: dict[str, object]) -> str | None:
    code = plain.get("error_code")
    return code.strip()[:MAX_CODE] or None if isinstance(code, str) else None


def _kept(plain: dict[str, object], type_: type[msgspec.Struct], field: str) -> dict[str, Any]:
    """The content of the field, and all unknown fields of the body."""
    extras = {name: value for name, value in plain.items() if name not in type_.__struct_fields__}
    content = plain.get(field)
    if isinstance(content, dict):
        return {**extras, **content}
    return extras if content is None else {**extras, field: content}
