"""What every broker promises, and the AI servers' side of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.filesystem.broker import FilesystemBroker
from adapters.memory.broker import MemoryBroker
from adapters.rabbitmq.broker import RabbitMQBroker
from adapters.rabbitmq.consumer import RabbitMQTaskSource
from adapters.task_source import TaskSource
from core.identifiers import TaskId, VersionId
from core.ports.broker import Broker
from core.tasks.model import PendingTask, Queue, TrainingOrder, WebhookBase, pending, training_task
from tests.support.rabbitmq import VirtualHost


@dataclass(frozen=True, slots=True)
class Both:
    broker: Broker
    source: TaskSource


@pytest.fixture(params=["memory", "filesystem", "rabbitmq"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> VirtualHost | Path | None:
    """Where the broker is to work; RabbitMQ is started only for those who ask for it."""
    if request.param == "rabbitmq":
        real: VirtualHost = request.getfixturevalue("broker")
        return real
    return tmp_path if request.param == "filesystem" else None


@pytest.fixture
async def both(place: VirtualHost | Path | None) -> AsyncIterator[Both]:
    if place is None:
        memory = MemoryBroker()
        yield Both(memory, memory)
    elif isinstance(place, Path):
        folder = FilesystemBroker(place)
        yield Both(folder, folder)
        folder.close()
    else:
        address = place.address
        rabbitmq = RabbitMQBroker(address)
        yield Both(rabbitmq, RabbitMQTaskSource(address))
        await rabbitmq.close()


def task(number: int = 1, *, queue: Queue = "model_training") -> PendingTask:
    order = TrainingOrder(VersionId(number), ["gs://bucket/training/1/image_0.jpg"], ["ink"])
    made = training_task(TaskId(str(uuid4())), order, at=datetime.now(UTC), webhooks=WebhookBase("http://api"))
    return PendingTask(made.task_id, queue, pending(made).body)


class Worker:
    """Takes tasks down until it is stopped."""

    def __init__(
        self, source: TaskSource, queue: Queue, *, fail_first: bool = False, always_fail: bool = False
    ) -> None:
        self.bodies: asyncio.Queue[bytes] = asyncio.Queue()
        self._failing = fail_first or always_fail
        self._hopeless = always_fail
        self._task = asyncio.create_task(source.consume(queue, self._handle))

    async def _handle(self, body: bytes) -> None:
        await self.bodies.put(body)
        if self._failing:
            self._failing = self._hopeless
            raise ValueError("this worker is not at its best")

    async def take(self, count: int) -> list[bytes]:
        async with asyncio.timeout(10):
            return [await self.bodies.get() for _ in range(count)]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_confirmed_tasks_arrive_byte_for_byte_and_in_order(both: Both) -> None:
    tasks = [task(number) for number in range(50)]

    confirmed = await both.broker.publish(tasks)

    assert confirmed == [each.task_id for each in tasks]
    worker = Worker(both.source, "model_training")
    assert await worker.take(50) == [each.body for each in tasks]
    await worker.stop()


async def test_each_queue_gets_its_own_tasks(both: Both) -> None:
    training, generation = task(1), task(2, queue="image_generation")

    await both.broker.publish([training, generation])

    worker = Worker(both.source, "image_generation")
    assert await worker.take(1) == [generation.body]
    await worker.stop()


async def test_a_waiting_worker_gets_later_tasks(both: Both) -> None:
    worker = Worker(both.source, "model_training")
    later = task()

    await both.broker.publish([later])

    assert await worker.take(1) == [later.body]
    await worker.stop()


async def test_a_task_is_redelivered_after_its_handler_failed(both: Both) -> None:
    worker = Worker(both.source, "model_training", fail_first=True)
    difficult = task()

    await both.broker.publish([difficult])

    assert await worker.take(2) == [difficult.body, difficult.body]
    await worker.stop()


async def test_redelivery_after_a_failure_is_delayed(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("memory.broker", "filesystem.broker", "rabbitmq.consumer"):
        monkeypatch.setattr(f"adapters.{module}.RETRY_AFTER", 3600.0)
    hopeless = Worker(both.source, "model_training", always_fail=True)
    await both.broker.publish([task(1)])
    await hopeless.take(1)

    await both.broker.publish([task(2)])
    other = Worker(both.source, "model_training")
    await other.take(1)

    assert hopeless.bodies.empty()
    await hopeless.stop()
    await other.stop()


async def test_a_task_of_a_crashed_worker_is_redelivered(both: Both) -> None:
    begun = asyncio.Event()

    async def never_done(_: bytes) -> None:
        begun.set()
        await asyncio.Event().wait()

    await both.broker.publish([interrupted := task()])
    first = asyncio.create_task(both.source.consume("model_training", never_done))
    async with asyncio.timeout(10):
        await begun.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

    second = Worker(both.source, "model_training")
    assert await second.take(1) == [interrupted.body]
    await second.stop()


async def test_a_handled_task_is_removed(both: Both) -> None:
    await both.broker.publish([first := task(1), second := task(2)])
    worker = Worker(both.source, "model_training")
    assert await worker.take(2) == [first.body, second.body]
    await both.broker.publish([third := task(3)])
    assert await worker.take(1) == [third.body]  # so the second has been acknowledged by now
    await worker.stop()

    await both.broker.publish([fourth := task(4)])

    another = Worker(both.source, "model_training")
    bodies = await another.take(1)
    while bodies[-1] == third.body:  # the third may have been stopped before its acknowledgement left
        bodies = await another.take(1)
    assert bodies == [fourth.body]
    await another.stop()


async def test_the_broker_is_reachable(both: Both) -> None:
    assert await both.broker.reachable()


async def test_publishing_no_tasks_is_allowed(both: Both) -> None:
    assert await both.broker.publish([]) == []
