import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from adapters.filesystem import broker as module
from adapters.filesystem.broker import FilesystemBroker
from core.identifiers import TaskId
from core.tasks.model import PendingTask, Queue


def task(name: str, queue: Queue = "image_generation") -> PendingTask:
    return PendingTask(TaskId(name), queue, f"body of {name}".encode())


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], FilesystemBroker]]:
    """Opens the same folder again, as after a restart."""
    brokers: list[FilesystemBroker] = []

    def open_again() -> FilesystemBroker:
        for broker in brokers:
            broker.close()
        brokers.append(FilesystemBroker(tmp_path))
        return brokers[-1]

    yield open_again
    for broker in brokers:
        broker.close()


@pytest.fixture
def broker(opened: Callable[[], FilesystemBroker]) -> FilesystemBroker:
    return opened()


async def consumed(broker: FilesystemBroker, number: int, queue: Queue = "image_generation") -> list[bytes]:
    """The first tasks of a queue, finished one after the other."""
    bodies: list[bytes] = []
    enough = asyncio.Event()

    async def handle(body: bytes) -> None:
        if enough.is_set():
            await asyncio.Event().wait()
        bodies.append(body)
        if len(bodies) == number:
            enough.set()

    await working(broker, handle, queue, until=enough)
    return bodies


async def working(
    broker: FilesystemBroker,
    handle: Callable[[bytes], Awaitable[None]],
    queue: Queue = "image_generation",
    *,
    until: asyncio.Event,
) -> None:
    consumer = asyncio.create_task(broker.consume(queue, handle))
    try:
        async with asyncio.timeout(5):
            await until.wait()
        await asyncio.sleep(0)
    finally:
        consumer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await consumer


async def test_tasks_arrive_in_order_and_byte_for_byte(broker: FilesystemBroker) -> None:
    confirmed = await broker.publish([task("b"), task("a")])
    confirmed += await broker.publish([task("c")])

    assert confirmed == ["b", "a", "c"]
    assert await consumed(broker, 3) == [b"body of b", b"body of a", b"body of c"]


async def test_a_waiting_consumer_gets_a_task_at_once(broker: FilesystemBroker) -> None:
    waiting = asyncio.create_task(consumed(broker, 1))
    await asyncio.sleep(0)

    await broker.publish([task("a")])

    assert await waiting == [b"body of a"]


async def test_queues_are_separate(broker: FilesystemBroker) -> None:
    await broker.publish([task("a", "model_training"), task("b")])

    assert await consumed(broker, 1, "model_training") == [b"body of a"]
    assert await consumed(broker, 1) == [b"body of b"]


async def test_waiting_tasks_survive_a_restart(opened: Callable[[], FilesystemBroker]) -> None:
    await opened().publish([task("a"), task("b")])

    assert await consumed(opened(), 2) == [b"body of a", b"body of b"]


async def test_tasks_in_progress_survive_a_restart(opened: Callable[[], FilesystemBroker]) -> None:
    broker = opened()
    await broker.publish([task("a")])
    begun = asyncio.Event()

    async def handle(_body: bytes) -> None:
        begun.set()
        await asyncio.Event().wait()

    await working(broker, handle, until=begun)

    assert await consumed(opened(), 1) == [b"body of a"]


async def test_a_failed_task_is_redelivered(broker: FilesystemBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_AFTER", 0)
    await broker.publish([task("a"), task("b")])
    bodies: list[bytes] = []
    done = asyncio.Event()

    async def handle(body: bytes) -> None:
        bodies.append(body)
        if len(bodies) == 1:
            raise RuntimeError("out of luck")
        if body == b"body of b":
            done.set()

    await working(broker, handle, until=done)

    assert bodies == [b"body of a", b"body of a", b"body of b"]


async def test_a_handled_task_is_removed(opened: Callable[[], FilesystemBroker]) -> None:
    broker = opened()
    await broker.publish([task("a"), task("b")])

    await consumed(broker, 1)
    later = await consumed(opened(), 1)

    assert later == [b"body of b"]


async def test_an_unwritable_folder_confirms_no_task(tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("a file, not a folder")
    broker = FilesystemBroker(tmp_path / "queue")

    assert await broker.publish([task("a")]) == []
    assert not await broker.reachable()


async def test_a_writable_folder_is_available(tmp_path: Path) -> None:
    assert await FilesystemBroker(tmp_path / "queue").reachable()
