"""Attempts that the inference server retries by itself, and completions that overtake a retry."""

from datetime import timedelta

import pytest

from core.generations.fail_generation import FailGeneration
from core.generations.model import RETRY_DELAYS, Status
from core.tasks.outcome import UNKNOWN, Failure, Outcome
from tests.core.test_generation_webhooks import (
    HOPELESS,
    a_queued_generation,
    complete,
    fail,
    fail_attempt,
    fail_for_now,
    notifications,
    progress,
)
from tests.support.memory_world import MemoryWorld
from tests.support.world import Funds

MOMENT = timedelta.resolution


@pytest.mark.parametrize("code", ["INFERENCE_ERROR", "UNHEARD_OF", UNKNOWN, "gpu_oom", ""])
@pytest.mark.parametrize("begun", [False, True])
async def test_a_failed_attempt_keeps_the_hold_and_puts_no_task(world: MemoryWorld, code: str, begun: bool) -> None:
    ann, generation = await a_queued_generation(world)
    if begun:
        await progress(world, generation.id)
    at = world.clock.advance()

    outcome = await world.use_case(FailGeneration)(generation.id, Failure(code, "Why."), retry_count=3)

    assert outcome == Outcome(applied=True, status="retrying")
    now = world.database.tables.generations[generation.id]
    assert (now.status, now.attempt, now.task_id) == (Status.RETRYING, 1, generation.task_id)
    assert (now.attempt_failed_at, now.updated_at, now.progress, now.ended_at) == (at, at, None, None)
    assert now.failure == Failure(code, "Why.")
    assert await world.tasks(within=timedelta(hours=1)) == []
    assert await world.funds(ann.id) == Funds(ann.id, 70, 30, None)
    assert await notifications(world, ann) == []


async def test_the_next_attempt_can_start_over(world: MemoryWorld) -> None:
    _, generation = await a_queued_generation(world)
    await progress(world, generation.id, 40)
    await fail_attempt(world, generation.id)

    assert await progress(world, generation.id, 0) == Outcome(applied=True, status="processing")

    now = world.database.tables.generations[generation.id]
    assert (now.status, now.attempt_failed_at) == (Status.PROCESSING, None)


async def test_a_success_after_two_failed_attempts_pays_once(world: MemoryWorld) -> None:
    ann, generation = await a_queued_generation(world)
    for _ in range(2):
        assert await fail_attempt(world, generation.id) == Outcome(applied=True, status="retrying")
        world.clock.advance(timedelta(seconds=1))

    assert await complete(world, generation.id) == Outcome(applied=True, status="completed")
    assert await complete(world, generation.id) == Outcome(applied=False, status="completed")

    assert await world.funds(ann.id) == Funds(ann.id, 70, 0, None)
    assert (await world.funds(generation.artist_id)).earned_token_balance == 30
    assert world.database.tables.generations[generation.id].attempt_failed_at is None
    [notification] = await notifications(world, ann)
    assert notification.type == "generation_complete"


async def test_another_failed_attempt_is_the_last_activity(world: MemoryWorld) -> None:
    _, generation = await a_queued_generation(world)
    await fail_attempt(world, generation.id)
    at = world.clock.advance()

    assert await fail_attempt(world, generation.id) == Outcome(applied=True, status="retrying")

    now = world.database.tables.generations[generation.id]
    assert (now.attempt_failed_at, now.last_activity_at, now.attempt) == (at, at, 1)


async def test_a_final_failure_counts_after_failed_attempts(world: MemoryWorld) -> None:
    ann, generation = await a_queued_generation(world)
    for _ in range(3):
        await fail_attempt(world, generation.id)

    assert await fail(world, generation.id) == Outcome(applied=True, status="failed")

    assert await world.funds(ann.id) == Funds(ann.id, 100, 0, None)
    [notification] = await notifications(world, ann)
    assert notification.metadata["error_code"] == HOPELESS.code


async def test_failed_attempts_and_new_tasks_can_alternate(world: MemoryWorld) -> None:
    _, generation = await a_queued_generation(world)
    await fail_attempt(world, generation.id)

    assert await fail_for_now(world, generation.id) == Outcome(applied=True, status="retrying")

    now = world.database.tables.generations[generation.id]
    assert (now.attempt, now.attempt_failed_at, now.awaits_new_task) == (2, None, True)
    assert [task.task_id for task in await world.tasks()] == [now.task_id]
    assert await fail_attempt(world, generation.id) == Outcome(applied=False, status="retrying")
    await progress(world, generation.id, 1)
    assert await fail_attempt(world, generation.id) == Outcome(applied=True, status="retrying")
    assert world.database.tables.generations[generation.id].attempt == 2


@pytest.mark.parametrize("delay", RETRY_DELAYS)
async def test_the_old_attempt_can_complete_while_a_new_task_waits(world: MemoryWorld, delay: timedelta) -> None:
    ann, generation = await a_queued_generation(world)
    while (await world.tasks(within=delay)) == [] or await world.tasks(within=delay - MOMENT) != []:
        await world.publish(within=timedelta(hours=1))
        await progress(world, generation.id)
        await fail_for_now(world, generation.id)
    [waiting] = await world.tasks(within=delay)

    assert await complete(world, generation.id) == Outcome(applied=True, status="completed")

    world.clock.advance(delay)
    assert await world.tasks() == [waiting]  # it goes out, and what comes of it changes nothing
    for late in (progress, complete, fail, fail_for_now, fail_attempt):
        assert await late(world, generation.id) == Outcome(applied=False, status="completed")
    assert await world.funds(ann.id) == Funds(ann.id, 70, 0, None)
    assert (await world.funds(generation.artist_id)).earned_token_balance == 30
    assert len(await notifications(world, ann)) == 1
