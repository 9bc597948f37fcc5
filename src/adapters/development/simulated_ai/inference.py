import asyncio
import logging
from dataclasses import dataclass
from io import BytesIO

import httpx
import msgspec

from adapters.development.simulated_ai import rehearsal, style_model
from adapters.development.simulated_ai.pace import Pace, stages
from adapters.development.simulated_ai.painting import paint
from adapters.development.simulated_ai.rehearsal import AttemptFailed, Failed, Stalled
from adapters.development.simulated_ai.signature import sign
from adapters.development.simulated_ai.webhooks import Webhooks
from core.ports.blob_store import Blob, BlobNotFound, BlobStore, ForeignBlob, StoreUnavailable
from core.secret import Secret
from core.tasks.model import GenerationOrder, GenerationTask

ATTEMPTS = 3
"""Attempts per task; after the last one the failure is final."""
STEPS = 30
GUIDANCE = 7.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InferenceServer:
    """Paints an image with a style's model and stamps the artist's signature on it.

    Like the real server it reports each failed attempt as INFERENCE_ERROR, retries the same task, and reports
    GENERATION_ERROR after the last attempt.
    """

    blobs: BlobStore
    client: httpx.AsyncClient
    token: Secret
    pace: Pace

    async def __call__(self, body: bytes) -> None:
        try:
            task = msgspec.json.decode(body, type=GenerationTask)
        except msgspec.MsgspecError as error:
            _log.error("generation task dropped: not readable error=%s", error)
            return
        webhooks = Webhooks(self.client, server="inference-server", token=self.token, complete_url=task.webhook_url)
        order = task.data
        seed = order.generation_id if order.seed is None else order.seed
        try:
            result_url = await self._attempt(order, seed, webhooks)
        except Stalled:
            return
        except Failed as failure:
            await _fail(order, webhooks, failure)
        except StoreUnavailable:
            await _fail(order, webhooks, Failed("NETWORK_ERROR", "The object store is unavailable."))
        else:
            await webhooks.complete(
                generation_id=order.generation_id,
                result_url=result_url,
                metadata={
                    "seed": seed,
                    "steps": STEPS,
                    "guidance_scale": GUIDANCE,
                    "prompt_tags": order.prompt_tags,
                    "model": "simulated",
                },
            )

    async def _attempt(self, order: GenerationOrder, seed: int, webhooks: Webhooks) -> str:
        """The URI of the result, after up to ATTEMPTS attempts. Raises Failed after the last one."""
        message = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._generate(order, seed, webhooks, attempt)
            except (Stalled, Failed, StoreUnavailable):
                raise
            except Exception as error:
                _log.warning("attempt failed generation=%s attempt=%s", order.generation_id, attempt, exc_info=error)
                message = str(error)
            await webhooks.failed(
                generation_id=order.generation_id, error_code="INFERENCE_ERROR", error_message=message
            )
            if attempt < ATTEMPTS:
                await asyncio.sleep(attempt * self.pace.retry_seconds)
        raise Failed("GENERATION_ERROR", f"All {ATTEMPTS} attempts failed: {message}")

    async def _generate(self, order: GenerationOrder, seed: int, webhooks: Webhooks, attempt: int) -> str:
        model = await self._model(order.lora_path)
        signature = await self._read(order.signature_path)
        painting = asyncio.create_task(asyncio.to_thread(_painted, order, model, signature, seed))
        try:
            async for stage in stages(STEPS, seconds=self.pace.generation_seconds, reports=self.pace.reports):
                if 2 * stage.done >= STEPS:
                    _rehearse(order, attempt)
                await webhooks.progress(
                    generation_id=order.generation_id,
                    progress={
                        "current_step": stage.done,
                        "total_steps": STEPS,
                        "progress_percent": stage.percent,
                        "estimated_seconds": stage.seconds_left,
                    },
                )
            picture = await painting
        finally:
            painting.cancel()
        key = f"generations/gen-{order.generation_id}.png"
        await self.blobs.put(Blob(key, BytesIO(picture), "image/png"))
        return self.blobs.uri(key)

    async def _model(self, path: str) -> style_model.StyleModel:
        try:
            return style_model.decode(await self.blobs.get(self.blobs.key_of(path)))
        except (BlobNotFound, ForeignBlob, style_model.UnreadableModel) as error:
            raise Failed("MODEL_NOT_FOUND", f"There is no model at {path}.") from error

    async def _read(self, uri: str) -> bytes:
        try:
            return await self.blobs.get(self.blobs.key_of(uri))
        except (BlobNotFound, ForeignBlob) as error:
            raise Failed("GENERATION_FAILED", f"There is no signature at {uri}.") from error


async def _fail(order: GenerationOrder, webhooks: Webhooks, failure: Failed) -> None:
    await webhooks.failed(
        generation_id=order.generation_id,
        error_code=failure.code,
        error_message=failure.message,
        retry_count=order.attempt - 1,
    )


def _rehearse(order: GenerationOrder, attempt: int) -> None:
    if rehearsal.FAILURE in order.prompt_tags:
        raise Failed("GENERATION_FAILED", "The picture could not be made.")
    if rehearsal.OUT_OF_MEMORY in order.prompt_tags and order.attempt == 1:
        raise Failed("GPU_OOM", "The GPU ran out of memory.")
    if rehearsal.NO_ATTEMPTS_LEFT in order.prompt_tags:
        raise AttemptFailed("The pipeline made no image.")
    if rehearsal.FAILED_ATTEMPTS in order.prompt_tags and attempt < ATTEMPTS:
        raise AttemptFailed("The pipeline made no image.")
    if rehearsal.STALL in order.prompt_tags:
        raise Stalled


def _painted(order: GenerationOrder, model: style_model.StyleModel, signature: bytes, seed: int) -> bytes:
    picture = paint(model, width=order.width, height=order.height, seed=seed, prompt_tags=order.prompt_tags)
    sign(picture, signature, order.signature_config)
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
