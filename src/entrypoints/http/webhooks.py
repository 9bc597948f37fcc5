"""What the AI servers and the payment provider tell.

A repeat or a late call changes nothing and is answered like the first.
"""

from typing import Annotated, Any

import msgspec
from dishka.integrations.litestar import DishkaRouter, FromDishka
from litestar import Controller, patch, post
from litestar.params import JSONBody
from msgspec import Meta

from core.generations.complete_generation import CompleteGeneration
from core.generations.errors import GenerationNotFound
from core.generations.fail_generation import FailGeneration
from core.generations.record_progress import RecordProgress
from core.identifiers import MAX_ID, GenerationId, StyleId
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound
from core.styles.fail_training import FailTraining
from core.styles.record_training_progress import RecordTrainingProgress
from core.tasks.outcome import Failure, Outcome
from entrypoints.http.access import inference_server, training_server
from entrypoints.http.body import decode
from entrypoints.http.envelope import Success
from entrypoints.http.errors import MALFORMED, AnyRequest
from entrypoints.http.toss import TossWebhooks

MAX_BODY = 256 * 1024
"""Bytes."""
MAX_MESSAGE = 2000
"""Characters of an error message that are kept: a failure is taken down however much is said about it."""

Style = Annotated[StyleId, Meta(ge=1, le=MAX_ID)]
Generation = Annotated[GenerationId, Meta(ge=1, le=MAX_ID)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Location = Annotated[str, Meta(min_length=1, max_length=2000)]
Code = Annotated[str, Meta(min_length=1, max_length=100)]


class Epochs(msgspec.Struct, frozen=True):
    current_epoch: Count
    total_epochs: Count
    progress_percent: Percent
    estimated_seconds: Count | None = None


class TrainingMoved(msgspec.Struct, frozen=True):
    style_id: Style
    progress: Epochs


class TrainingCompleted(msgspec.Struct, frozen=True):
    style_id: Style
    model_path: Location
    training_metric: dict[str, Any] | None = None


class TrainingFailed(msgspec.Struct, frozen=True):
    style_id: Style
    error_message: str
    error_code: Code


class Steps(msgspec.Struct, frozen=True):
    current_step: Count
    total_steps: Count
    progress_percent: Percent
    estimated_seconds: Count | None = None


class ImageMoved(msgspec.Struct, frozen=True):
    generation_id: Generation
    progress: Steps


class ImageCompleted(msgspec.Struct, frozen=True):
    generation_id: Generation
    result_url: Location
    metadata: dict[str, Any] | None = None


class ImageFailed(msgspec.Struct, frozen=True):
    generation_id: Generation
    error_message: str
    error_code: Code = "GENERATION_FAILED"
    retry_count: Count | None = None


class TrainingWebhooks(Controller):
    path = "/training"
    guards = (training_server,)

    @patch("/progress", opt={"refusals": (StyleNotFound,)}, summary="A training has come further")
    async def progress(
        self, data: JSONBody[TrainingMoved], record_progress: FromDishka[RecordTrainingProgress]
    ) -> Success[Outcome]:
        return Success(data=await record_progress(data.style_id, **msgspec.structs.asdict(data.progress)))

    @post("/complete", status_code=200, opt={"refusals": (StyleNotFound,)}, summary="A model is there")
    async def complete(
        self, data: JSONBody[TrainingCompleted], request: AnyRequest, complete_training: FromDishka[CompleteTraining]
    ) -> Success[Outcome]:
        metric = _with_extras(data.training_metric, await request.body(), TrainingCompleted)
        return Success(data=await complete_training(data.style_id, model_path=data.model_path, metric=metric or None))

    @post("/failed", status_code=200, opt={"refusals": (StyleNotFound,)}, summary="A training has failed")
    async def failed(self, data: JSONBody[TrainingFailed], fail_training: FromDishka[FailTraining]) -> Success[Outcome]:
        failure = Failure(data.error_code, data.error_message[:MAX_MESSAGE])
        return Success(data=await fail_training(data.style_id, failure))


class InferenceWebhooks(Controller):
    path = "/inference"
    guards = (inference_server,)

    @patch("/progress", opt={"refusals": (GenerationNotFound,)}, summary="An image has come further")
    async def progress(
        self, data: JSONBody[ImageMoved], record_progress: FromDishka[RecordProgress]
    ) -> Success[Outcome]:
        return Success(data=await record_progress(data.generation_id, **msgspec.structs.asdict(data.progress)))

    @post("/complete", status_code=200, opt={"refusals": (GenerationNotFound,)}, summary="An image is there")
    async def complete(
        self, data: JSONBody[ImageCompleted], request: AnyRequest, complete_generation: FromDishka[CompleteGeneration]
    ) -> Success[Outcome]:
        metadata = _with_extras(data.metadata, await request.body(), ImageCompleted)
        return Success(
            data=await complete_generation(data.generation_id, result_url=data.result_url, metadata=metadata)
        )

    @post("/failed", status_code=200, opt={"refusals": (GenerationNotFound,)}, summary="An attempt has failed")
    async def failed(
        self, data: JSONBody[ImageFailed], fail_generation: FromDishka[FailGeneration]
    ) -> Success[Outcome]:
        failure = Failure(data.error_code, data.error_message[:MAX_MESSAGE])
        return Success(data=await fail_generation(data.generation_id, failure, retry_count=data.retry_count))


WEBHOOKS = DishkaRouter(
    path="/api/webhooks",
    route_handlers=[TrainingWebhooks, InferenceWebhooks, TossWebhooks],
    tags=["Webhooks"],
    request_max_body_size=MAX_BODY,
    opt={MALFORMED: 422},
)


def _with_extras(told: dict[str, Any] | None, body: bytes, type_: type[msgspec.Struct]) -> dict[str, Any]:
    """What was told in its place, and whatever else the body has beside the fields that we know."""
    plain = decode(body, dict[str, Any])
    extras = {name: value for name, value in plain.items() if name not in type_.__struct_fields__}
    return {**extras, **(told or {})}
