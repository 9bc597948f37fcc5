"""The wire protocol of the AI servers over real parts: messages on the queues, effects of webhooks."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import aio_pika
import httpx
import pytest

from tests.end_to_end.artists import PRICE, become_artist, offer_style, picture
from tests.end_to_end.service import Person, Service, person, running_service
from tests.support import gcs, openid
from tests.support.rabbitmq import VirtualHost


@pytest.fixture
async def service(
    own_database_url: str, broker: VirtualHost, bucket: gcs.Bucket, openid_provider: openid.Provider
) -> AsyncIterator[Service]:
    environment = {
        "DATABASE_URL": own_database_url,
        **broker.environment,
        **bucket.environment,
        **openid_provider.environment,
        "OPENID_DISCOVERY_URL": openid_provider.discovery_url,
        "AI_SERVERS": "none",
    }
    with TemporaryDirectory(prefix="style-license-") as directory:
        async with running_service(Path(directory), environment, openid_provider) as running:
            yield running


async def next_task(host: VirtualHost, queue: str) -> tuple[Any, aio_pika.abc.AbstractIncomingMessage]:
    """The next task, declared and taken as the AI servers do."""
    async with await aio_pika.connect(host.url) as connection, asyncio.timeout(20):
        declared = await (await connection.channel()).declare_queue(queue, durable=True)
        async with declared.iterator() as messages:
            async for message in messages:
                await message.ack()
                return json.loads(message.body), message
    raise AssertionError("the queue was closed")


async def applied(answer: httpx.Response) -> tuple[bool, str]:
    assert answer.status_code == httpx.codes.OK, answer.text
    data = answer.json()["data"]
    return data["applied"], data["status"]


async def test_every_message_from_upload_to_paid_image(
    service: Service, broker: VirtualHost, bucket: gcs.Bucket
) -> None:
    async with person(service, "artist@example.com") as artist, person(service, "buyer@example.com") as buyer:
        await become_artist(artist)
        style = await offer_style(artist)
        await _train(service, broker, bucket, artist, style["id"])
        await _generate(service, broker, bucket, artist, buyer, style["id"])


async def _train(service: Service, broker: VirtualHost, bucket: gcs.Bucket, artist: Person, style_id: int) -> None:
    task, message = await next_task(broker, "model_training")
    assert message.content_type == "application/json"
    assert message.message_id == task["task_id"] == str(UUID(task["task_id"]))
    assert list(task) == ["task_id", "type", "created_at", "data", "webhook_url"]
    assert task["created_at"].endswith("Z")
    extensions = ["png" if index % 2 else "jpg" for index in range(10)]
    folder = f"gs://{bucket.name}/training/{style_id}"
    assert task["data"] == {
        "style_id": style_id,
        "images": [f"{folder}/image_{index}.{extension}" for index, extension in enumerate(extensions)],
        "tags": ["red ink", "circle", "warm", *(f"number {index}" for index in range(10))],
        "parameters": {"epochs": 200, "learning_rate": 0.0001, "batch_size": 1},
    }
    assert task["webhook_url"] == f"{service.url}/api/webhooks/training/complete"
    client = bucket.emulator.client()
    stored = client.bucket(bucket.name)
    assert stored.blob(f"training/{style_id}/image_3.png").download_as_bytes() == picture(3)[1]
    assert stored.blob(f"training/{style_id}/image_3.txt").download_as_bytes() == b"circle, number 3"
    client.close()

    def progress(epoch: int) -> dict[str, Any]:
        share = {"current_epoch": epoch, "total_epochs": 200, "progress_percent": epoch / 2, "estimated_seconds": 60}
        return {"style_id": style_id, "progress": share}

    complete = {"style_id": style_id, "model_path": f"models/{style_id}.safetensors", "training_metric": {"loss": 0.1}}
    assert await applied(await service.webhook("PATCH", "training/progress", progress(60))) == (True, "training")
    assert await applied(await service.webhook("PATCH", "training/progress", progress(40))) == (False, "training")
    seen = await artist.get(f"/api/styles/{style_id}")
    assert (seen["training_status"], seen["progress"]["current_epoch"]) == ("training", 60)
    early = await artist.send("POST", "/api/generations", json={"style_id": style_id, "prompt_tags": ["too early"]})
    assert (early.status_code, early.json()["error"]["code"]) == (422, "STYLE_NOT_READY")
    assert await applied(await service.webhook("POST", "training/complete", complete)) == (True, "completed")
    assert await applied(await service.webhook("POST", "training/complete", complete)) == (False, "completed")
    assert await applied(await service.webhook("PATCH", "training/progress", progress(80))) == (False, "completed")


async def _generate(
    service: Service, broker: VirtualHost, bucket: gcs.Bucket, artist: Person, buyer: Person, style_id: int
) -> None:
    request = {"style_id": style_id, "prompt_tags": ["Woman", "portrait"], "aspect_ratio": "2:2"}
    requested = await buyer.ask("POST", "/api/generations", json=request)
    generation_id = requested["id"]
    task, _ = await next_task(broker, "image_generation")
    signature = task["data"].pop("signature_path")
    assert signature.startswith(f"gs://{bucket.name}/signatures/")
    assert task["data"] == {
        "generation_id": generation_id,
        "style_id": style_id,
        "lora_path": f"models/{style_id}.safetensors",
        "prompt": "woman, portrait",
        "prompt_tags": ["woman", "portrait"],
        "aspect_ratio": "2:2",
        "seed": None,
        "width": 1024,
        "height": 1024,
        "attempt": 1,
        "signature_config": {"position": "bottom-right", "size": "medium", "opacity": 0.7},
    }
    assert task["webhook_url"] == f"{service.url}/api/webhooks/inference/complete"

    foreign = {"generation_id": generation_id, "result_url": "gs://somebody-elses/result.png"}
    refused = await service.webhook("POST", "inference/complete", foreign)
    assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    unknown = await service.webhook("POST", "inference/failed", {"generation_id": 2**40, "error_message": "?"})
    assert unknown.status_code == httpx.codes.NOT_FOUND
    assert (await buyer.get(f"/api/generations/{generation_id}"))["status"] == "queued"

    out_of_memory = {"generation_id": generation_id, "error_message": "too large", "error_code": "GPU_OOM"}
    assert await applied(await service.webhook("POST", "inference/failed", out_of_memory)) == (True, "retrying")
    second, _ = await next_task(broker, "image_generation")
    assert second["data"]["attempt"] == 2
    assert second["task_id"] != task["task_id"]
    assert (await buyer.get("/api/tokens/balance"))["held_tokens"] == PRICE

    # Completed without any progress before, by two servers at once: one of them counts.
    complete = {"generation_id": generation_id, "result_url": f"gs://{bucket.name}/generations/gen-{generation_id}.png"}
    answers = await asyncio.gather(*(service.webhook("POST", "inference/complete", complete) for _ in range(8)))
    assert sorted([await applied(answer) for answer in answers]) == [(False, "completed")] * 7 + [(True, "completed")]
    assert await applied(await service.webhook("POST", "inference/failed", out_of_memory)) == (False, "completed")
    balance = await buyer.get("/api/tokens/balance")
    assert (balance["token_balance"], balance["held_tokens"]) == (100 - PRICE, 0)
    assert (await artist.get("/api/tokens/balance"))["earned_token_balance"] == PRICE
    notices = (await buyer.get("/api/notifications"))["results"]
    assert [notice["type"] for notice in notices] == ["generation_complete"]
