import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from core.identifiers import GenerationId, TaskId, VersionId
from core.ports.broker import Broker
from core.ports.database import DatabaseUnavailable
from core.ports.outbox import Batch, Outbox
from core.tasks.model import GenerationOrder, PendingTask, Queue, TrainingOrder, generation_task, training_task
from core.tasks.publish_tasks import PublishTasks
from entrypoints.relay import BACK_OFF, GATHERING, Relay
from tests.support.memory_world import MemoryWorld


class UnreliableBroker(Broker):
    """Confirms tasks unless the test makes it unavailable."""

    def __init__(self) -> None:
        self.away = False
        self.full: set[Queue] = set()
        self.taken: list[TaskId] = []
        self.batches: list[int] = []
        self.changed = asyncio.Event()

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        confirmed = [] if self.away else [task.task_id for task in tasks if task.queue not in self.full]
        self.taken += confirmed
        self.batches.append(len(tasks))
        self.changed.set()
        return confirmed

    async def reachable(self) -> bool:
        return not self.away

    async def has(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.taken) < number:
                self.changed.clear()
                await self.changed.wait()


class Pauses:
    """Does not sleep; records how long it would while publishing fails, and runs what the test has set."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.meanwhile: Callable[[int], None] = lambda _number: None

    async def __call__(self, seconds: float) -> None:
        if seconds != GATHERING:
            self.seconds.append(seconds)
            self.meanwhile(len(self.seconds))
        await asyncio.sleep(0)


class FailingOutbox(Outbox):
    def __init__(self, outbox: Outbox, *errors: Exception) -> None:
        self._outbox = outbox
        self._errors = list(errors)

    @contextlib.asynccontextmanager
    async def claim(self, queue: Queue, *, now: datetime, limit: int) -> AsyncIterator[Batch]:
        if self._errors and queue == "model_training":
            raise self._errors.pop(0)
        async with self._outbox.claim(queue, now=now, limit=limit) as batch:
            yield batch

    async def wait(self, queue: Queue, *, seconds: float) -> None:
        await self._outbox.wait(queue, seconds=seconds)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
def broker() -> UnreliableBroker:
    return UnreliableBroker()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@contextlib.asynccontextmanager
async def working(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def relay(
    world: MemoryWorld, broker: Broker, pauses: Callable[[float], Awaitable[None]], outbox: Outbox | None = None
) -> Relay:
    outbox = outbox or world.outbox
    return Relay(PublishTasks(outbox, broker, world.clock), outbox, pauses)


async def put(world: MemoryWorld, *, due_in: timedelta = timedelta()) -> TaskId:
    scope = world.scope()
    task_id = world.ids.task()
    now = world.clock.now()
    task = training_task(task_id, TrainingOrder(VersionId(1), [], []), at=now, webhooks=world.webhooks)
    async with scope.transaction:
        await scope.queue.put(task, due=now + due_in)
    return task_id


async def put_image(world: MemoryWorld) -> TaskId:
    scope, task_id = world.scope(), world.ids.task()
    order = GenerationOrder(GenerationId(1), VersionId(1), "gs://m/1", "", [], "1:1", None, 512, 512, 1, "gs://s/1")
    async with scope.transaction:
        await scope.queue.put(generation_task(task_id, order, at=world.clock.now(), webhooks=world.webhooks))
    return task_id


async def test_the_relay_publishes_waiting_and_new_tasks(
    world: MemoryWorld, broker: UnreliableBroker, pauses: Pauses
) -> None:
    waiting = [await put(world) for _ in range(3)]

    async with working(relay(world, broker, pauses)):
        await broker.has(3)
        coming = await put(world)
        await broker.has(4)

    assert broker.taken == [*waiting, coming]
    assert pauses.seconds == []


async def test_tasks_that_follow_within_moments_are_published_together(
    world: MemoryWorld, broker: UnreliableBroker
) -> None:
    async def put_more(_seconds: float) -> None:
        if len(broker.batches) == 1:
            for _ in range(3):
                await put(world)

    await put(world)
    async with working(relay(world, broker, put_more)):
        await broker.has(4)

    assert broker.batches == [1, 3]


async def test_the_relay_backs_off_during_a_broker_outage(
    world: MemoryWorld, broker: UnreliableBroker, pauses: Pauses, caplog: pytest.LogCaptureFixture
) -> None:
    broker.away = True
    task_ids = [await put(world) for _ in range(3)]

    def come_back(number: int) -> None:
        broker.away = number < 9

    pauses.meanwhile = come_back

    with caplog.at_level(logging.INFO, logger="entrypoints.relay"):
        async with working(relay(world, broker, pauses)):
            await broker.has(3)
            await put(world)
            await broker.has(4)

    assert broker.taken[:3] == task_ids
    assert pauses.seconds == [*BACK_OFF, BACK_OFF[-1], BACK_OFF[-1], BACK_OFF[-1]]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "tasks wait in the outbox queue=model_training: the broker has taken 0 of 3."),
        ("INFO", "publishing resumed queue=model_training"),
    ]


async def test_the_back_off_resets_after_a_recovery(
    world: MemoryWorld, broker: UnreliableBroker, pauses: Pauses
) -> None:
    def come_back(_number: int) -> None:
        broker.away = False

    pauses.meanwhile = come_back

    async with working(relay(world, broker, pauses)):
        for number in (1, 2):
            broker.away = True
            await put(world)
            await broker.has(number)

    assert pauses.seconds == [BACK_OFF[0], BACK_OFF[0]]


async def test_the_relay_survives_database_outages_and_errors(
    world: MemoryWorld, broker: UnreliableBroker, pauses: Pauses
) -> None:
    outbox = FailingOutbox(world.outbox, DatabaseUnavailable(), RuntimeError("a surprise"))
    task_id = await put(world)

    async with working(relay(world, broker, pauses, outbox)):
        await broker.has(1)

    assert broker.taken == [task_id]
    assert pauses.seconds == list(BACK_OFF[:2])


async def test_a_full_queue_does_not_delay_the_other(
    world: MemoryWorld, broker: UnreliableBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """The relay of the full queue rests for ever after its first attempt; the other's never rests."""
    broker.full.add("model_training")
    resting = asyncio.Event()

    async def rest(_seconds: float) -> None:
        resting.set()
        await asyncio.get_running_loop().create_future()

    await put(world)
    async with working(relay(world, broker, rest)):
        async with asyncio.timeout(5):
            await resting.wait()
        images = [await put_image(world) for _ in range(3)]
        await broker.has(3)

    assert broker.taken == images
    assert [record.getMessage() for record in caplog.records] == [
        "tasks wait in the outbox queue=model_training: the broker has taken 0 of 1."
    ]


async def test_tasks_that_are_not_due_are_not_published(
    world: MemoryWorld, broker: UnreliableBroker, pauses: Pauses
) -> None:
    await put(world, due_in=timedelta(seconds=30))
    now = await put(world)

    async with working(relay(world, broker, pauses)):
        await broker.has(1)

    assert broker.taken == [now]


class SlowBroker(UnreliableBroker):
    """Takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        self.begun.set()
        await self.go_on.wait()
        return await super().publish(tasks)


async def test_a_stopped_relay_finishes_its_batch(world: MemoryWorld, pauses: Pauses) -> None:
    broker = SlowBroker()
    task_id = await put(world)
    running = asyncio.create_task(relay(world, broker, pauses).run())
    async with asyncio.timeout(5):
        await broker.begun.wait()
        running.cancel()
        await asyncio.sleep(0)
        assert not running.done()
        broker.go_on.set()
        await asyncio.wait([running])

    assert running.cancelled()
    assert broker.taken == [task_id]
    assert await world.tasks() == []


async def test_an_unfinished_batch_is_cancelled_at_shutdown(
    world: MemoryWorld, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.relay.FINISHING", 0.01)
    broker = SlowBroker()
    await put(world)
    running = asyncio.create_task(relay(world, broker, pauses).run())
    async with asyncio.timeout(5):
        await broker.begun.wait()
        running.cancel()
        await asyncio.wait([running])

    assert running.cancelled()
    assert len(await world.tasks()) == 1
