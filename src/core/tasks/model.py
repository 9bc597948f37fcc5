"""The messages that the AI servers consume. Wire format: names and order of fields are fixed."""

from datetime import datetime
from typing import Literal, NewType, get_args

import msgspec

from core.identifiers import GenerationId, TaskId, VersionId

WebhookBase = NewType("WebhookBase", str)
"""The base URL at which the AI servers reach the webhooks, without a trailing slash."""

Queue = Literal["model_training", "image_generation"]
QUEUES: tuple[Queue, ...] = get_args(Queue)


class TrainingParameters(msgspec.Struct, frozen=True):
    epochs: int = 200
    learning_rate: float = 0.0001
    batch_size: int = 1


class TrainingOrder(msgspec.Struct, frozen=True):
    style_id: VersionId
    """The AI servers know each version as a style of its own."""
    images: list[str]
    tags: list[str]
    parameters: TrainingParameters = TrainingParameters()


class SignatureConfig(msgspec.Struct, frozen=True):
    position: str = "bottom-right"
    size: str = "medium"
    opacity: float = 0.7


class GenerationOrder(msgspec.Struct, frozen=True):
    generation_id: GenerationId
    style_id: VersionId
    lora_path: str
    prompt: str
    prompt_tags: list[str]
    aspect_ratio: str
    seed: int | None
    width: int
    height: int
    attempt: int
    signature_path: str
    signature_config: SignatureConfig = SignatureConfig()


class TrainingTask(msgspec.Struct, frozen=True):
    task_id: TaskId
    type: Literal["model_training"]
    created_at: datetime
    data: TrainingOrder
    webhook_url: str


class GenerationTask(msgspec.Struct, frozen=True):
    task_id: TaskId
    type: Literal["image_generation"]
    created_at: datetime
    data: GenerationOrder
    webhook_url: str


Task = TrainingTask | GenerationTask
"""A task's `type` is also the name of its queue."""


def training_task(task_id: TaskId, order: TrainingOrder, *, at: datetime, webhooks: WebhookBase) -> TrainingTask:
    return TrainingTask(task_id, "model_training", at, order, f"{webhooks}/api/webhooks/training/complete")


def generation_task(task_id: TaskId, order: GenerationOrder, *, at: datetime, webhooks: WebhookBase) -> GenerationTask:
    return GenerationTask(task_id, "image_generation", at, order, f"{webhooks}/api/webhooks/inference/complete")


class PendingTask(msgspec.Struct, frozen=True):
    """A task in the outbox; `body` is sent unchanged, byte for byte."""

    task_id: TaskId
    queue: Queue
    body: bytes


def pending(task: Task) -> PendingTask:
    return PendingTask(task.task_id, task.type, msgspec.json.encode(task))


def task_of(body: bytes) -> Task:
    """Decode the bytes of a published task. Raises ValueError if they are not one."""
    kinds: dict[str, type[Task]] = {"model_training": TrainingTask, "image_generation": GenerationTask}
    kind = kinds.get(msgspec.json.decode(body, type=_Kind).type)
    if kind is None:
        raise ValueError("a task of no kind that this service knows")
    return msgspec.json.decode(body, type=kind)


class _Kind(msgspec.Struct, frozen=True):
    type: str
