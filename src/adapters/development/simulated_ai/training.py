import asyncio
import logging
from dataclasses import dataclass
from io import BytesIO

import httpx
import msgspec

from adapters.development.simulated_ai import rehearsal, style_model
from adapters.development.simulated_ai.pace import Pace, stages
from adapters.development.simulated_ai.rehearsal import Failed, Stalled
from adapters.development.simulated_ai.webhooks import Webhooks
from core.errors import DomainError
from core.ports.blob_store import Blob, BlobStore
from core.secret import Secret
from core.tasks.model import TrainingOrder, TrainingTask

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingServer:
    """Learns a style's colours from its training images and stores a model file."""

    blobs: BlobStore
    client: httpx.AsyncClient
    token: Secret
    pace: Pace

    async def __call__(self, body: bytes) -> None:
        try:
            task = msgspec.json.decode(body, type=TrainingTask)
        except msgspec.MsgspecError as error:
            _log.error("training task dropped: not readable error=%s", error)
            return
        webhooks = Webhooks(self.client, server="training-server", token=self.token, complete_url=task.webhook_url)
        style_id = task.data.style_id
        try:
            model_path = await self._train(task, webhooks)
        except Stalled:
            return
        except Failed as failure:
            await webhooks.failed(style_id=style_id, error_code=failure.code, error_message=failure.message)
        except Exception as error:
            _log.exception("training crashed style=%s", style_id)
            await webhooks.failed(style_id=style_id, error_code="TRAINING_ERROR", error_message=str(error))
        else:
            metric = {"loss": 0.043, "epochs": task.data.parameters.epochs, "images": len(task.data.images)}
            await webhooks.complete(style_id=style_id, model_path=model_path, training_metric=metric)

    async def _train(self, task: TrainingTask, webhooks: Webhooks) -> str:
        order = task.data
        learnt = await self._learn(order)
        epochs = order.parameters.epochs
        async for stage in stages(epochs, seconds=self.pace.training_seconds, reports=self.pace.reports):
            if 2 * stage.done >= epochs:
                _rehearse(order)
            await webhooks.progress(
                style_id=order.style_id,
                progress={
                    "current_epoch": stage.done,
                    "total_epochs": epochs,
                    "progress_percent": stage.percent,
                    "estimated_seconds": stage.seconds_left,
                },
            )
        key = f"models/{order.style_id}/{task.task_id}.safetensors"
        await self.blobs.put(Blob(key, BytesIO(style_model.encode(learnt)), "application/octet-stream"))
        return self.blobs.uri(key)

    async def _learn(self, order: TrainingOrder) -> style_model.StyleModel:
        if not order.images:
            raise Failed("LOW_QUALITY_DATA", "There are no training images.")
        tiles = []
        for uri in order.images:
            try:
                content = await self.blobs.get(self.blobs.key_of(uri))
                tiles.append(await asyncio.to_thread(style_model.tile, content))
            except (DomainError, OSError) as error:
                raise Failed("TRAINING_FAILED", f"{uri} cannot be read: {error}") from error
        return await asyncio.to_thread(style_model.learn, tiles)


def _rehearse(order: TrainingOrder) -> None:
    if rehearsal.FAILURE in order.tags:
        raise Failed("LOW_QUALITY_DATA", "The images have too little in common to learn a style from.")
    if rehearsal.STALL in order.tags:
        raise Stalled
