import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from io import BytesIO
from uuid import uuid4

import httpx
import msgspec
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from adapters.development.simulated_ai import rehearsal
from adapters.development.simulated_ai.inference import InferenceServer
from adapters.development.simulated_ai.pace import Pace
from adapters.development.simulated_ai.servers import SimulatedAIServers
from adapters.development.simulated_ai.training import TrainingServer
from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.clock import ManualClock
from adapters.task_source import TaskSource
from core.identifiers import GenerationId, TaskId, VersionId
from core.ports.blob_store import Blob, StoreUnavailable
from core.secret import Secret
from core.tasks.model import (
    GenerationOrder,
    GenerationTask,
    TrainingOrder,
    TrainingTask,
    WebhookBase,
    generation_task,
    training_task,
)
from tests.support.webhooks import Webhooks, recorded_webhooks

AT_ONCE = Pace(training_seconds=0, generation_seconds=0, retry_seconds=0, reports=4)
TOKEN = "the-internal-token"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BLUE, SAND = (30, 60, 140), (230, 210, 160)


class QueuedTasks(TaskSource):
    """Tasks that the test puts."""

    def __init__(self) -> None:
        self.queues: dict[str, asyncio.Queue[bytes]] = defaultdict(asyncio.Queue)

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            await handle(await self.queues[queue].get())


@pytest.fixture
def blobs() -> MemoryBlobStore:
    return MemoryBlobStore(ManualClock(NOW))


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    with recorded_webhooks() as recorded:
        yield recorded


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as opened:
        yield opened


def png(image: Image.Image) -> BytesIO:
    file = BytesIO()
    image.save(file, "PNG")
    return file


def artwork() -> BytesIO:
    image = Image.new("RGB", (512, 512), BLUE)
    ImageDraw.Draw(image).rectangle((0, 300, 512, 512), fill=SAND)
    return png(image)


def signature() -> BytesIO:
    image = Image.new("RGBA", (300, 120), (0, 0, 0, 0))
    ImageDraw.Draw(image).line((20, 60, 280, 60), fill=(255, 0, 255), width=40)
    return png(image)


async def training(blobs: MemoryBlobStore, webhooks: Webhooks, *tags: str, stored: bool = True) -> TrainingTask:
    keys = [f"training/10/image_{index}.png" for index in range(3)]
    if stored:
        await blobs.put(*(Blob(key, artwork(), "image/png") for key in keys))
    order = TrainingOrder(VersionId(10), [blobs.uri(key) for key in keys], ["watercolor", *tags])
    return training_task(TaskId(str(uuid4())), order, at=NOW, webhooks=WebhookBase(webhooks.url))


def generation(
    blobs: MemoryBlobStore, webhooks: Webhooks, model_path: str, *tags: str, attempt: int = 1, seed: int | None = 5
) -> GenerationTask:
    order = GenerationOrder(
        generation_id=GenerationId(500),
        style_id=VersionId(10),
        lora_path=model_path,
        prompt=", ".join(tags),
        prompt_tags=list(tags),
        aspect_ratio="1:2",
        seed=seed,
        width=128,
        height=256,
        attempt=attempt,
        signature_path=blobs.uri("signatures/1.png"),
    )
    return generation_task(TaskId(str(uuid4())), order, at=NOW, webhooks=WebhookBase(webhooks.url))


@pytest.fixture
async def model_path(blobs: MemoryBlobStore, webhooks: Webhooks, client: httpx.AsyncClient) -> str:
    """Of a style that has been trained."""
    await blobs.put(Blob("signatures/1.png", signature(), "image/png"))
    server = TrainingServer(blobs, client, Secret(TOKEN), AT_ONCE)
    await server(msgspec.json.encode(await training(blobs, webhooks)))
    path: str = webhooks.of("complete")[0].body["model_path"]
    webhooks.calls.clear()
    return path


@pytest.fixture
def train(blobs: MemoryBlobStore, client: httpx.AsyncClient) -> Callable[[TrainingTask], Awaitable[None]]:
    server = TrainingServer(blobs, client, Secret(TOKEN), AT_ONCE)
    return lambda task: server(msgspec.json.encode(task))


@pytest.fixture
def generate(blobs: MemoryBlobStore, client: httpx.AsyncClient) -> Callable[[GenerationTask], Awaitable[None]]:
    server = InferenceServer(blobs, client, Secret(TOKEN), AT_ONCE)
    return lambda task: server(msgspec.json.encode(task))


Train = Callable[[TrainingTask], Awaitable[None]]
Generate = Callable[[GenerationTask], Awaitable[None]]


async def test_a_training_reports_progress_and_stores_a_model(
    blobs: MemoryBlobStore, webhooks: Webhooks, train: Train
) -> None:
    await train(await training(blobs, webhooks))

    *progress, end = webhooks.calls
    assert [call.body["progress"]["current_epoch"] for call in progress] == [0, 50, 100, 150, 200]
    assert progress[1].body == {
        "style_id": 10,
        "progress": {"current_epoch": 50, "total_epochs": 200, "progress_percent": 25.0, "estimated_seconds": 0},
    }
    assert {(call.method, call.path) for call in progress} == {("PATCH", "/api/webhooks/training/progress")}
    assert (end.method, end.path) == ("POST", "/api/webhooks/training/complete")
    assert end.body["style_id"] == 10
    assert end.body["training_metric"]["epochs"] == 200
    assert await blobs.get(blobs.key_of(end.body["model_path"]))
    assert end.body["model_path"].startswith("gs://stylelicense-media/models/10/")
    assert {(call.authorization, call.source) for call in webhooks.calls} == {(f"Bearer {TOKEN}", "training-server")}


async def test_a_training_without_its_images_fails(blobs: MemoryBlobStore, webhooks: Webhooks, train: Train) -> None:
    await train(await training(blobs, webhooks, stored=False))

    (call,) = webhooks.calls
    assert (call.method, call.path) == ("POST", "/api/webhooks/training/failed")
    assert (call.body["style_id"], call.body["error_code"]) == (10, "TRAINING_FAILED")
    assert "image_0.png" in call.body["error_message"]
    assert await blobs.keys("models/") == []


async def test_a_generation_reports_progress_and_stores_a_signed_image(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, model_path: str
) -> None:
    await generate(generation(blobs, webhooks, model_path, "sea"))

    *progress, end = webhooks.calls
    assert [call.body["progress"]["current_step"] for call in progress] == [0, 8, 15, 22, 30]
    assert {(call.method, call.path) for call in progress} == {("PATCH", "/api/webhooks/inference/progress")}
    assert (end.method, end.path) == ("POST", "/api/webhooks/inference/complete")
    assert end.body["generation_id"] == 500
    assert end.body["result_url"] == "gs://stylelicense-media/generations/gen-500.png"
    assert end.body["metadata"]["seed"] == 5
    assert end.body["metadata"]["steps"] == 30
    assert {(call.authorization, call.source) for call in webhooks.calls} == {(f"Bearer {TOKEN}", "inference-server")}
    assert blobs.content_type("generations/gen-500.png") == "image/png"
    picture = Image.open(BytesIO(await blobs.get("generations/gen-500.png")))
    assert (picture.format, picture.size) == ("PNG", (128, 256))
    red, green, blue = ImageStat.Stat(picture.crop((0, 0, 128, 200))).mean
    assert BLUE[0] <= red <= SAND[0]
    assert BLUE[1] <= green <= SAND[1]
    assert BLUE[2] - 20 <= blue <= SAND[2] + 20
    magenta = ImageChops.subtract(picture.getchannel("R"), picture.getchannel("G"))
    where = magenta.point([255 if level > 80 else 0 for level in range(256)]).getbbox()
    assert where is not None
    assert where[0] > 64
    assert where[1] > 128


async def test_the_same_seed_gives_the_same_image(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, model_path: str
) -> None:
    pictures = []
    for seed in (5, 5, 6):
        await generate(generation(blobs, webhooks, model_path, "sea", seed=seed))
        pictures.append(await blobs.get("generations/gen-500.png"))

    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize("path", ["gs://stylelicense-media/models/10/gone", "gs://elsewhere/model", "nonsense"])
async def test_a_generation_without_its_model_fails_finally(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, path: str
) -> None:
    await generate(generation(blobs, webhooks, path, "sea"))

    (call,) = webhooks.calls
    assert (call.method, call.path) == ("POST", "/api/webhooks/inference/failed")
    assert call.body["generation_id"] == 500
    assert call.body["error_code"] == "MODEL_NOT_FOUND"
    assert call.body["retry_count"] == 0


async def test_a_generation_without_its_signature_fails(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, model_path: str
) -> None:
    await blobs.delete("signatures/1.png")

    await generate(generation(blobs, webhooks, model_path, "sea"))

    assert [call.body["error_code"] for call in webhooks.of("failed")] == ["GENERATION_FAILED"]
    assert await blobs.keys("generations/") == []


class StoreThatGoesAway(MemoryBlobStore):
    async def get(self, key: str) -> bytes:
        raise StoreUnavailable


async def test_an_unavailable_store_is_a_retryable_failure(webhooks: Webhooks, client: httpx.AsyncClient) -> None:
    store = StoreThatGoesAway(ManualClock(NOW))
    task = generation(store, webhooks, store.uri("models/10/model"), "sea", attempt=3)

    await InferenceServer(store, client, Secret(TOKEN), AT_ONCE)(msgspec.json.encode(task))

    assert [(call.body["error_code"], call.body["retry_count"]) for call in webhooks.calls] == [("NETWORK_ERROR", 2)]


async def test_a_tag_makes_a_generation_fail(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, model_path: str
) -> None:
    await generate(generation(blobs, webhooks, model_path, "sea", rehearsal.FAILURE))
    await generate(generation(blobs, webhooks, model_path, "sea", rehearsal.OUT_OF_MEMORY))
    await generate(generation(blobs, webhooks, model_path, "sea", rehearsal.STALL))

    assert [call.body["error_code"] for call in webhooks.of("failed")] == ["GENERATION_FAILED", "GPU_OOM"]
    assert webhooks.of("complete") == []
    assert await blobs.keys("generations/") == []


async def test_the_server_attempts_a_task_three_times(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, model_path: str
) -> None:
    await generate(generation(blobs, webhooks, model_path, "sea", rehearsal.FAILED_ATTEMPTS))

    reported = [call.body.get("error_code", call.event) for call in webhooks.calls if call.event != "progress"]
    assert reported == ["INFERENCE_ERROR", "INFERENCE_ERROR", "complete"]
    assert [call.body["progress"]["current_step"] for call in webhooks.of("progress")].count(0) == 3


async def test_the_failure_of_the_last_attempt_is_final(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, model_path: str
) -> None:
    await generate(generation(blobs, webhooks, model_path, "sea", rehearsal.NO_ATTEMPTS_LEFT))

    reported = [call.body["error_code"] for call in webhooks.of("failed")]
    assert reported == ["INFERENCE_ERROR"] * 3 + ["GENERATION_ERROR"]
    assert webhooks.of("complete") == []


async def test_an_out_of_memory_failure_happens_once(
    blobs: MemoryBlobStore, webhooks: Webhooks, generate: Generate, model_path: str
) -> None:
    await generate(generation(blobs, webhooks, model_path, "sea", rehearsal.OUT_OF_MEMORY, attempt=2))

    assert len(webhooks.of("complete")) == 1


async def test_a_tag_makes_a_training_fail(blobs: MemoryBlobStore, webhooks: Webhooks, train: Train) -> None:
    await train(await training(blobs, webhooks, rehearsal.FAILURE))
    await train(await training(blobs, webhooks, rehearsal.STALL))

    assert [call.body["error_code"] for call in webhooks.of("failed")] == ["LOW_QUALITY_DATA"]
    assert webhooks.of("complete") == []


async def test_a_refused_webhook_is_not_repeated(blobs: MemoryBlobStore, webhooks: Webhooks, train: Train) -> None:
    webhooks.status = 503

    await train(await training(blobs, webhooks))

    assert [call.event for call in webhooks.calls] == ["progress"] * 5 + ["complete"]


async def test_the_servers_survive_an_unreachable_service(blobs: MemoryBlobStore, train: Train) -> None:
    with recorded_webhooks() as gone:
        task = await training(blobs, gone)

    await train(task)

    assert len(await blobs.keys("models/10/")) == 1


async def test_a_malformed_message_is_dropped(
    webhooks: Webhooks, blobs: MemoryBlobStore, client: httpx.AsyncClient
) -> None:
    await TrainingServer(blobs, client, Secret(TOKEN), AT_ONCE)(b"{}")
    await InferenceServer(blobs, client, Secret(TOKEN), AT_ONCE)(b"not json")

    assert webhooks.calls == []


@contextlib.asynccontextmanager
async def working(servers: SimulatedAIServers) -> AsyncIterator[None]:
    task = asyncio.create_task(servers.run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_both_servers_work_concurrently_on_one_task_each(
    blobs: MemoryBlobStore, webhooks: Webhooks, model_path: str
) -> None:
    source = QueuedTasks()
    slow = Pace(training_seconds=0.4, generation_seconds=0.4, reports=2)
    for _ in range(2):
        source.queues["model_training"].put_nowait(msgspec.json.encode(await training(blobs, webhooks)))
    source.queues["image_generation"].put_nowait(msgspec.json.encode(generation(blobs, webhooks, model_path, "sea")))

    servers = SimulatedAIServers(
        source, blobs, training_token=Secret("of training"), inference_token=Secret("of inference"), pace=slow
    )
    async with working(servers):
        await webhooks.until("complete", 3)

    trainings = [call for call in webhooks.calls if call.source == "training-server"]
    assert [call.event for call in trainings] == [*["progress"] * 3, "complete"] * 2
    assert {(call.source, call.authorization) for call in webhooks.calls} == {
        ("training-server", "Bearer of training"),
        ("inference-server", "Bearer of inference"),
    }
    first_end = next(index for index, call in enumerate(webhooks.calls) if call.event == "complete")
    assert {call.source for call in webhooks.calls[:first_end]} == {"training-server", "inference-server"}
