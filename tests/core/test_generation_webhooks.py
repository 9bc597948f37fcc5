"""Webhooks of the inference server: progress, completion, failure; in order, twice, late, reordered."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import permutations

import msgspec
import pytest

from core.accounts.model import User
from core.errors import ValidationError
from core.generations.complete_generation import CompleteGeneration
from core.generations.errors import GenerationNotFound
from core.generations.fail_generation import FailGeneration
from core.generations.model import Generation, GenerationProgress, Status
from core.generations.record_progress import RecordProgress
from core.identifiers import GenerationId
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.tasks.outcome import Failure, Outcome
from tests.support.memory_world import MemoryWorld
from tests.support.world import Funds

Call = Callable[[MemoryWorld, GenerationId], Awaitable[Outcome]]

MOMENT = timedelta.resolution
OUT_OF_MEMORY = Failure("GPU_OOM", "Out of memory.")
HOPELESS = Failure("INVALID_PROMPT", "The prompt cannot be painted.")


async def progress(world: MemoryWorld, generation_id: GenerationId, step: int = 10) -> Outcome:
    return await world.use_case(RecordProgress)(
        generation_id, current_step=step, total_steps=50, progress_percent=step * 2.0, estimated_seconds=9
    )


async def complete(world: MemoryWorld, generation_id: GenerationId) -> Outcome:
    url = f"gs://stylelicense-media/generations/gen-{generation_id}.png"
    return await world.use_case(CompleteGeneration)(generation_id, result_url=url, metadata={"seed": 7, "more": [1]})


async def fail(world: MemoryWorld, generation_id: GenerationId) -> Outcome:
    return await world.use_case(FailGeneration)(generation_id, HOPELESS)


async def fail_for_now(world: MemoryWorld, generation_id: GenerationId) -> Outcome:
    return await world.use_case(FailGeneration)(generation_id, OUT_OF_MEMORY)


async def fail_attempt(world: MemoryWorld, generation_id: GenerationId) -> Outcome:
    return await world.use_case(FailGeneration)(generation_id, Failure("INFERENCE_ERROR", "The attempt failed."))


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_progress_is_recorded(world: MemoryWorld) -> None:
    _, generation = await a_queued_generation(world)

    assert await progress(world, generation.id) == Outcome(applied=True, status="processing")

    now = world.database.tables.generations[generation.id]
    assert now.status is Status.PROCESSING
    assert now.progress == GenerationProgress(10, 50, 20.0, 9, world.clock.now())


async def test_progress_out_of_order_changes_nothing(world: MemoryWorld) -> None:
    _, generation = await a_queued_generation(world)
    await progress(world, generation.id, 10)
    before = world.database.tables.generations[generation.id]
    world.clock.advance()

    for step in (9, 10):
        assert await progress(world, generation.id, step) == Outcome(applied=False, status="processing")

    assert world.database.tables.generations[generation.id] == before


# --- completion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_progress", [False, True])
async def test_a_completed_generation_is_paid_and_its_owner_notified(world: MemoryWorld, with_progress: bool) -> None:
    ann, generation = await a_queued_generation(world)
    if with_progress:
        await progress(world, generation.id)
    world.clock.advance()

    assert await complete(world, generation.id) == Outcome(applied=True, status="completed")

    now = world.database.tables.generations[generation.id]
    assert (now.status, now.result_key) == (Status.COMPLETED, f"generations/gen-{generation.id}.png")
    assert (now.metadata, now.progress, now.failure) == ({"seed": 7, "more": [1]}, None, None)
    assert now.updated_at == now.ended_at == world.clock.now()
    assert not now.is_public
    assert await world.funds(ann.id) == Funds(ann.id, 70, 0, None)
    assert await world.funds(generation.artist_id) == Funds(generation.artist_id, 0, 0, 30)
    [notification] = await notifications(world, ann)
    assert (notification.type, notification.target_type, notification.target_id) == (
        "generation_complete",
        "generation",
        generation.id,
    )
    assert (notification.metadata, notification.actor, notification.created_at) == ({}, None, world.clock.now())


async def test_a_result_can_be_named_by_https_url(world: MemoryWorld) -> None:
    _, generation = await a_queued_generation(world)

    await world.use_case(CompleteGeneration)(
        generation.id, result_url="https://storage.googleapis.com/stylelicense-media/generations/a.png", metadata={}
    )

    assert world.database.tables.generations[generation.id].result_key == "generations/a.png"


@pytest.mark.parametrize(
    "url",
    [
        "gs://another-bucket/generations/a.png",
        "https://storage.googleapis.com/another-bucket/a.png",
        "https://evil.example/stylelicense-media/a.png",
        "gs://stylelicense-media/",
        "gs://stylelicense-media/generations/",
        "gs://stylelicense-media/generations",
        "gs://stylelicense-media/generations/../signatures/1/a.png",
        "gs://stylelicense-media/training/1/image_0.png",
        "gs://stylelicense-media/signatures/1/signature.png",
        "gs://stylelicense-media/public/generations/1/a.png",
        "gs://stylelicense-media/results/a.png",
        "https://storage.googleapis.com/stylelicense-media/training/1/image_0.png",
        "gs://stylelicense-media/../a.png",
        "a.png",
        "",
    ],
)
async def test_a_result_outside_the_bucket_is_refused(world: MemoryWorld, url: str) -> None:
    ann, generation = await a_queued_generation(world)

    with pytest.raises(ValidationError) as refused:
        await world.use_case(CompleteGeneration)(generation.id, result_url=url, metadata={})

    assert set(refused.value.details or {}) == {"result_url"}
    assert world.database.tables.generations[generation.id] == generation
    assert await world.funds(ann.id) == Funds(ann.id, 70, 30, None)


# --- failure ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["GENERATION_ERROR", "GENERATION_FAILED", "INVALID_PROMPT", "MODEL_NOT_FOUND"])
async def test_a_final_failure_refunds_and_notifies(world: MemoryWorld, code: str) -> None:
    ann, generation = await a_queued_generation(world)
    await progress(world, generation.id)
    world.clock.advance()

    outcome = await world.use_case(FailGeneration)(generation.id, Failure(code, "Why."))

    assert outcome == Outcome(applied=True, status="failed")
    now = world.database.tables.generations[generation.id]
    assert (now.status, now.failure, now.progress) == (Status.FAILED, Failure(code, "Why."), None)
    assert now.updated_at == now.ended_at == world.clock.now()
    assert await world.funds(ann.id) == Funds(ann.id, 100, 0, None)
    assert await world.funds(generation.artist_id) == Funds(generation.artist_id, 0, 0, 0)
    [notification] = await notifications(world, ann)
    assert (notification.type, notification.target_id) == ("generation_failed", generation.id)
    assert notification.metadata == {"error_code": code, "error_message": "Why.", "refunded_tokens": 30}
    assert [task.task_id for task in await world.tasks(within=timedelta(hours=1))] == []


@pytest.mark.parametrize("code", ["GPU_OOM", "OOM_ERROR", "TIMEOUT", "NETWORK_ERROR"])
async def test_a_retryable_failure_is_retried_without_cost(world: MemoryWorld, code: str) -> None:
    ann, generation = await a_queued_generation(world)
    await progress(world, generation.id)
    world.clock.advance()

    outcome = await world.use_case(FailGeneration)(generation.id, Failure(code, "Why."))

    assert outcome == Outcome(applied=True, status="retrying")
    now = world.database.tables.generations[generation.id]
    assert (now.status, now.attempt, now.failure) == (Status.RETRYING, 2, Failure(code, "Why."))
    assert (now.progress, now.ended_at, now.updated_at) == (None, None, world.clock.now())
    assert now.task_id != generation.task_id
    assert await world.funds(ann.id) == Funds(ann.id, 70, 30, None)
    assert await notifications(world, ann) == []


async def test_retries_back_off_and_the_fourth_failure_is_final(world: MemoryWorld) -> None:
    ann, generation = await a_queued_generation(world)
    task_ids = {generation.task_id}

    for attempt, delay in ((2, 0), (3, 30), (4, 120)):
        await progress(world, generation.id)
        world.clock.advance()
        assert await fail_for_now(world, generation.id) == Outcome(applied=True, status="retrying")

        if delay:
            assert await world.tasks(within=timedelta(seconds=delay, microseconds=-1)) == []
        [task] = await world.tasks(within=timedelta(seconds=delay))
        body = msgspec.json.decode(task.body)
        assert task.queue == "image_generation"
        assert body["data"]["attempt"] == attempt
        assert msgspec.convert(body["created_at"], type(world.clock.now())) == world.clock.now()
        assert task.task_id == body["task_id"] == world.database.tables.generations[generation.id].task_id
        task_ids.add(task.task_id)
        await publish_all(world)

    await progress(world, generation.id)
    assert await fail_for_now(world, generation.id) == Outcome(applied=True, status="failed")

    assert len(task_ids) == 4
    assert world.database.tables.generations[generation.id].attempt == 4
    assert await world.tasks(within=timedelta(hours=1)) == []
    assert await world.funds(ann.id) == Funds(ann.id, 100, 0, None)
    [notification] = await notifications(world, ann)
    assert notification.metadata["error_code"] == "GPU_OOM"


async def test_a_retry_changes_only_the_attempt(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    ann, style = await world.user("ann", tokens=100), await world.style(mia)
    generation = await world.generation(ann, style, seed=7)
    await fail_for_now(world, generation.id)

    [task] = await world.tasks()

    assert task.body.decode() == (
        f'{{"task_id":"{task.task_id}","type":"image_generation","created_at":"2026-01-01T00:00:00Z",'
        f'"data":{{"generation_id":{generation.id},"style_id":{style.id},"lora_path":"{style.model_path}",'
        '"prompt":"woman, portrait","prompt_tags":["woman","portrait"],"aspect_ratio":"1:1","seed":7,'
        '"width":512,"height":512,"attempt":2,'
        f'"signature_path":"gs://stylelicense-media/signatures/{mia.id}/signature.png",'
        '"signature_config":{"position":"bottom-right","size":"medium","opacity":0.7}},'
        '"webhook_url":"https://api.example/api/webhooks/inference/complete"}'
    )


@pytest.mark.parametrize(
    ("retry_count", "status"), [(None, "retrying"), (0, "retrying"), (2, "retrying"), (3, "failed"), (4, "failed")]
)
async def test_an_exhausted_retry_count_of_the_server_is_final(
    world: MemoryWorld, retry_count: int | None, status: str
) -> None:
    _, generation = await a_queued_generation(world)

    outcome = await world.use_case(FailGeneration)(generation.id, OUT_OF_MEMORY, retry_count=retry_count)

    assert outcome == Outcome(applied=True, status=status)


@pytest.mark.parametrize("again", [fail, fail_for_now])
async def test_a_repeated_failure_counts_once(world: MemoryWorld, again: Call) -> None:
    ann, generation = await a_queued_generation(world)
    await progress(world, generation.id)
    await fail_for_now(world, generation.id)
    before = world.database.tables.generations[generation.id], await world.tasks()

    assert await again(world, generation.id) == Outcome(applied=False, status="retrying")

    assert (world.database.tables.generations[generation.id], await world.tasks()) == before
    assert await world.funds(ann.id) == Funds(ann.id, 70, 30, None)


async def test_a_retry_can_complete(world: MemoryWorld) -> None:
    ann, generation = await a_queued_generation(world)
    await fail_for_now(world, generation.id)

    assert await complete(world, generation.id) == Outcome(applied=True, status="completed")

    assert world.database.tables.generations[generation.id].failure is None
    assert await world.funds(ann.id) == Funds(ann.id, 70, 0, None)


# --- twice, late, in any order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "late", "status"),
    [
        *((complete, late, "completed") for late in (progress, complete, fail, fail_for_now, fail_attempt)),
        *((fail, late, "failed") for late in (progress, fail, fail_for_now, fail_attempt)),
    ],
)
async def test_webhooks_after_the_end_change_nothing(world: MemoryWorld, end: Call, late: Call, status: str) -> None:
    ann, generation = await a_queued_generation(world)
    await end(world, generation.id)
    before = await everything(world, ann, generation)
    world.clock.advance()

    assert await late(world, generation.id) == Outcome(applied=False, status=status)

    assert await everything(world, ann, generation) == before


@pytest.mark.parametrize("late", [progress, complete, fail, fail_for_now, fail_attempt])
async def test_webhooks_after_a_cancellation_change_nothing(world: MemoryWorld, late: Call) -> None:
    ann, generation = await a_queued_generation(world)
    now, scope = world.clock.now(), world.scope()
    cancelled = msgspec.structs.replace(generation, status=Status.CANCELLED, ended_at=now)
    async with scope.transaction:
        await scope.generations.save(cancelled)
        await scope.ledger.void(generation.hold_id, at=now)
    before = await everything(world, ann, generation)

    assert await late(world, generation.id) == Outcome(applied=False, status="cancelled")

    assert await everything(world, ann, generation) == before


@pytest.mark.parametrize(
    "calls",
    list(dict.fromkeys(permutations([progress, complete, fail, fail_attempt, complete, fail]))),
    ids=lambda calls: "-".join(call.__name__ for call in calls),
)
async def test_in_any_order_the_first_end_decides(world: MemoryWorld, calls: tuple[Call, ...]) -> None:
    ann, generation = await a_queued_generation(world)
    ends = [call for call in calls if call in {complete, fail}]

    outcomes = [await call(world, generation.id) for call in calls]

    first_end = outcomes[calls.index(ends[0])]
    completed = ends[0] is complete
    assert first_end == Outcome(applied=True, status="completed" if completed else "failed")
    assert sum(outcome.applied for outcome, call in zip(outcomes, calls, strict=True) if call in ends) == 1
    assert await world.funds(ann.id) == Funds(ann.id, 70 if completed else 100, 0, None)
    assert (await world.funds(generation.artist_id)).earned_token_balance == 30 * completed
    assert len(await notifications(world, ann)) == 1


@pytest.mark.parametrize("call", [progress, complete, fail, fail_for_now, fail_attempt])
async def test_an_unknown_id_is_not_found(world: MemoryWorld, call: Call) -> None:
    with pytest.raises(GenerationNotFound):
        await call(world, await world.ids.generation())


async def a_queued_generation(world: MemoryWorld) -> tuple[User, Generation]:
    ann = await world.user("ann", tokens=100)
    return ann, await world.generation(ann, await world.style(await world.artist("mia")))


async def notifications(world: MemoryWorld, user: User) -> list[NotificationItem]:
    page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest())
    return page.rows


async def everything(world: MemoryWorld, owner: User, generation: Generation) -> object:
    return (
        world.database.tables.generations[generation.id],
        await world.funds(owner.id),
        await world.funds(generation.artist_id),
        dict(world.database.tables.notifications),
        await world.tasks(within=timedelta(hours=1)),
        len(world.database.tables.entries),
    )


async def publish_all(world: MemoryWorld) -> None:
    await world.publish(within=timedelta(hours=1))
