"""Webhooks of the AI servers.

A repeated or late call changes nothing and is answered like the first.
"""

import msgspec
from dishka import FromDishka
from litestar import Controller, Router
from litestar.params import JSONBody

from core.generations.complete_generation import CompleteGeneration
from core.generations.errors import GenerationNotFound, ResultTaken
from core.generations.fail_generation import FailGeneration
from core.generations.record_progress import RecordProgress
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound
from core.styles.fail_training import FailTraining
from core.styles.record_training_progress import RecordTrainingProgress
from core.tasks.outcome import Outcome
from entrypoints.http.envelope import Success
from entrypoints.http.lenient import LenientJson
from entrypoints.http.operation import patch, post
from entrypoints.http.routes.toss import TossWebhooks
from entrypoints.http.routes.webhook_bodies import (
    GenerationCompleted,
    GenerationFailed,
    GenerationProgressed,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
)
from entrypoints.http.security.access import inference_server, training_server

MAX_BODY = 4 * 1024 * 1024
"""Bytes: large enough for any report of a failure."""


class TrainingWebhooks(Controller):
    path = "/training"
    dto = LenientJson
    request_max_body_size = MAX_BODY

    @patch(
        "/progress", guard=training_server, refusals=(StyleNotFound,), summary="Report training progress", malformed=422
    )
    async def progress(
        self, data: JSONBody[TrainingProgressed], record_progress: FromDishka[RecordTrainingProgress]
    ) -> Success[Outcome]:
        return Success(data=await record_progress(data.style_id, **msgspec.structs.asdict(data.progress)))

    @post(
        "/complete",
        guard=training_server,
        refusals=(StyleNotFound,),
        summary="Report a completed training",
        status=200,
        malformed=422,
    )
    async def complete(
        self, data: JSONBody[TrainingCompleted], complete_training: FromDishka[CompleteTraining]
    ) -> Success[Outcome]:
        metric = data.training_metric or None
        return Success(data=await complete_training(data.style_id, model_path=data.model_path, metric=metric))

    @post(
        "/failed",
        guard=training_server,
        refusals=(StyleNotFound,),
        summary="Report a failed training",
        status=200,
        malformed=422,
    )
    async def failed(self, data: JSONBody[TrainingFailed], fail_training: FromDishka[FailTraining]) -> Success[Outcome]:
        return Success(data=await fail_training(data.style_id, data.failure))


class InferenceWebhooks(Controller):
    path = "/inference"
    dto = LenientJson
    request_max_body_size = MAX_BODY

    @patch(
        "/progress",
        guard=inference_server,
        refusals=(GenerationNotFound,),
        summary="Report generation progress",
        malformed=422,
    )
    async def progress(
        self, data: JSONBody[GenerationProgressed], record_progress: FromDishka[RecordProgress]
    ) -> Success[Outcome]:
        return Success(data=await record_progress(data.generation_id, **msgspec.structs.asdict(data.progress)))

    @post(
        "/complete",
        guard=inference_server,
        refusals=(GenerationNotFound, ResultTaken),
        summary="Report a completed generation",
        status=200,
        malformed=422,
    )
    async def complete(
        self, data: JSONBody[GenerationCompleted], complete_generation: FromDishka[CompleteGeneration]
    ) -> Success[Outcome]:
        metadata = data.metadata or {}
        return Success(
            data=await complete_generation(data.generation_id, result_url=data.result_url, metadata=metadata)
        )

    @post(
        "/failed",
        guard=inference_server,
        refusals=(GenerationNotFound,),
        summary="Report a failed generation attempt",
        status=200,
        malformed=422,
    )
    async def failed(
        self, data: JSONBody[GenerationFailed], fail_generation: FromDishka[FailGeneration]
    ) -> Success[Outcome]:
        return Success(data=await fail_generation(data.generation_id, data.failure, retry_count=data.retry_count))


WEBHOOKS = Router(
    path="/api/webhooks",
    route_handlers=[TrainingWebhooks, InferenceWebhooks, TossWebhooks],
    tags=["Webhooks"],
)
