import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from core.identifiers import GenerationId, VersionId
from core.ports.outbox import Batch
from core.tasks.model import (
    GenerationOrder,
    GenerationTask,
    PendingTask,
    Queue,
    Task,
    TrainingOrder,
    TrainingTask,
    generation_task,
    pending,
    training_task,
)
from tests.contracts.overlap import Block, Work, commit
from tests.support.scope import Scope
from tests.support.world import World


async def test_a_task_is_in_the_outbox_once_its_transaction_commits(world: World) -> None:
    task = new_task(world)
    block = await Block(world, putting(task)).open()
    assert await world.tasks() == []

    await block.commit()

    assert await world.tasks() == [pending(task)]


async def test_a_task_of_a_rolled_back_transaction_is_not_in_the_outbox(world: World) -> None:
    block = await Block(world, putting(new_task(world))).open()

    await block.roll_back()

    assert await world.tasks() == []


async def test_both_kinds_go_to_the_queue_of_their_name(world: World) -> None:
    training, generation = new_task(world), new_generation_task(world)
    await commit(world, putting(training, generation))

    found = await world.tasks()

    assert found == [pending(training), pending(generation)]
    assert [task.queue for task in found] == ["model_training", "image_generation"]


async def test_tasks_are_ordered_by_due_time_then_by_insertion(world: World) -> None:
    now = world.clock.now()
    tasks = [new_task(world) for _ in range(6)]
    await commit(world, putting(tasks[4], due=now + timedelta(seconds=30)))
    await commit(world, putting(tasks[1]))
    await commit(world, putting(tasks[2], tasks[3]))
    await commit(world, putting(tasks[0], due=now - timedelta(seconds=1)))
    await commit(world, putting(tasks[5], due=now + timedelta(seconds=31)))

    assert await world.tasks(within=timedelta(minutes=1)) == [pending(task) for task in tasks]


async def test_a_task_is_not_claimed_before_it_is_due(world: World) -> None:
    task = new_task(world)
    due = world.clock.now() + timedelta(seconds=30)
    await commit(world, putting(task, due=due))

    assert await claimed(world, timedelta(seconds=30) - timedelta(microseconds=1)) == []
    assert await claimed(world, timedelta(seconds=30)) == [pending(task)]


async def test_a_task_is_due_at_its_creation_by_default(world: World) -> None:
    task = new_task(world)
    await commit(world, putting(task))

    assert await claimed(world, -timedelta(microseconds=1)) == []
    assert await claimed(world, timedelta()) == [pending(task)]


async def test_a_claim_respects_the_limit(world: World) -> None:
    tasks = [new_task(world) for _ in range(3)]
    await commit(world, putting(*tasks))

    async with claim(world, limit=2) as batch:
        assert batch.tasks == [pending(tasks[0]), pending(tasks[1])]


async def test_published_tasks_are_removed_and_the_others_kept(world: World) -> None:
    tasks = [new_task(world) for _ in range(3)]
    await commit(world, putting(*tasks))

    async with claim(world) as batch:
        await batch.published([tasks[0].task_id])
        await batch.published([tasks[2].task_id])

    assert await world.tasks() == [pending(tasks[1])]


async def test_a_claim_without_confirms_keeps_all_tasks(world: World) -> None:
    task = new_task(world)
    await commit(world, putting(task))

    async with claim(world) as batch:
        await batch.published([])

    assert await world.tasks() == [pending(task)]


async def test_a_queue_is_claimed_by_one_relay_at_a_time(world: World) -> None:
    tasks = [new_task(world) for _ in range(5)]
    await commit(world, putting(*tasks))

    async with claim(world, limit=2) as one:
        async with claim(world, limit=2) as other:
            assert other.tasks == []
        assert one.tasks == [pending(tasks[0]), pending(tasks[1])]
        await one.published([task.task_id for task in one.tasks])
    async with claim(world, limit=2) as other:
        assert other.tasks == [pending(tasks[2]), pending(tasks[3])]

    assert await world.tasks() == [pending(task) for task in tasks[2:]]


async def test_a_relay_retries_soon_after_a_busy_claim(world: World) -> None:
    async with claim(world), claim(world):
        pass

    async with asyncio.timeout(10):
        await world.outbox.wait("model_training", seconds=60)


async def test_tasks_put_during_a_claim_stay(world: World) -> None:
    one, other = new_task(world), new_task(world)
    await commit(world, putting(one))

    async with claim(world) as batch:
        await commit(world, putting(other))
        await batch.published([one.task_id])

    assert await world.tasks() == [pending(other)]


async def test_a_failed_claim_keeps_unpublished_tasks(world: World) -> None:
    task = new_task(world)
    await commit(world, putting(task))

    async def fail() -> None:
        async with claim(world):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await fail()

    assert await world.tasks() == [pending(task)]


async def test_a_cancelled_claim_keeps_unpublished_tasks(world: World) -> None:
    task = new_task(world)
    await commit(world, putting(task))
    holding = asyncio.Event()

    async def hold() -> None:
        async with claim(world):
            holding.set()
            await asyncio.get_running_loop().create_future()

    relay = asyncio.create_task(hold())
    await holding.wait()
    relay.cancel()
    await asyncio.wait({relay})

    assert await world.tasks() == [pending(task)]


async def test_a_commit_with_a_task_wakes_a_waiting_relay(world: World) -> None:
    waiting = asyncio.create_task(world.outbox.wait("model_training", seconds=60))
    await commit(world, putting(new_task(world)))

    async with asyncio.timeout(10):
        await waiting


async def test_a_relay_that_waits_after_the_commit_is_woken(world: World) -> None:
    async with claim(world) as batch:
        assert batch.tasks == []
    await commit(world, putting(new_task(world)))

    async with asyncio.timeout(10):
        await world.outbox.wait("model_training", seconds=60)


async def test_waiting_for_a_task_times_out(world: World) -> None:
    async with asyncio.timeout(10):
        await world.outbox.wait("model_training", seconds=0.01)


def new_task(world: World) -> TrainingTask:
    order = TrainingOrder(VersionId(10), ["gs://bucket/training/10/image_0.jpg"], ["watercolor", "수채화"])
    return training_task(world.ids.task(), order, at=world.clock.now(), webhooks=world.webhooks)


def new_generation_task(world: World) -> GenerationTask:
    order = GenerationOrder(
        generation_id=GenerationId(500),
        style_id=VersionId(10),
        lora_path="gs://models/10.safetensors",
        prompt="woman, portrait",
        prompt_tags=["woman", "portrait"],
        aspect_ratio="1:1",
        seed=None,
        width=512,
        height=512,
        attempt=1,
        signature_path="gs://bucket/signatures/1.png",
    )
    return generation_task(world.ids.task(), order, at=world.clock.now(), webhooks=world.webhooks)


def putting(*tasks: Task, due: datetime | None = None) -> Work:
    async def work(ports: Scope) -> None:
        for task in tasks:
            await ports.queue.put(task, due=due)

    return work


@asynccontextmanager
async def claim(world: World, queue: Queue = "model_training", *, limit: int = 100) -> AsyncIterator[Batch]:
    async with world.outbox.claim(queue, now=world.clock.now(), limit=limit) as batch:
        yield batch


async def claimed(world: World, after: timedelta) -> list[PendingTask]:
    return await world.tasks(within=after)
