import asyncio
from collections.abc import Callable

import pytest

from adapters.pillow.turns import Turns
from core.identifiers import UserId

ANN, BEN, CY = UserId(1), UserId(2), UserId(3)


class Queue:
    """Users who come for turns, each turn lasting until it is ended."""

    def __init__(self, places: int) -> None:
        self.time = 100.0
        self.turns = Turns(places, now=lambda: self.time)
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, user: UserId, *names: str) -> None:
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._take(user, name))
            await settled()

    async def end(self, name: str, *, after: float = 1.0) -> None:
        self.time += after
        self.ends[name].set()
        await self.tasks[name]
        await settled()

    async def _take(self, user: UserId, name: str) -> None:
        async with self.turns.turn(user):
            self.begun.append(name)
            await self.ends[name].wait()


async def settled() -> None:
    """Until all that can run has run."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def queue() -> Callable[[int], Queue]:
    return Queue


async def test_a_user_has_one_turn_at_a_time(
    queue: Callable[[int], Queue],
) -> None:
    line = queue(2)
    await line.come(ANN, "a1", "a2")
    assert line.begun == ["a1"]
    await line.come(BEN, "b1")
    assert line.begun == ["a1", "b1"]
    await line.end("a1")
    assert line.begun == ["a1", "b1", "a2"]
    for name in ("a2", "b1"):
        await line.end(name)


async def test_equal_users_alternate_and_keep_their_order(queue: Callable[[int], Queue]) -> None:
    line = queue(1)
    await line.come(ANN, "a1", "a2", "a3", "a4")
    await line.come(BEN, "b1", "b2")
    await line.come(CY, "c1")
    for name in ("a1", "b1", "c1", "a2", "b2", "a3", "a4"):
        await line.end(name, after=1.0)
    assert line.begun == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


async def test_users_with_less_used_time_come_first(queue: Callable[[int], Queue]) -> None:
    line = queue(1)
    await line.come(ANN, "a1", "a2", "a3")
    await line.come(BEN, "b1", "b2", "b3")
    await line.end("a1", after=10.0)
    await line.end("b1", after=9.0)
    await line.come(CY, "c1")
    await line.end("b2", after=9.0)
    await line.end("c1", after=0.1)
    await line.come(CY, "c2")
    assert line.begun[2:] == ["b2", "c1", "a2"]
    await line.end("a2", after=10.0)
    assert line.begun[5:] == ["c2"]
    await line.end("c2", after=0.1)
    for name in ("b3", "a3"):
        await line.end(name, after=1.0)


async def test_idle_time_earns_no_credit(queue: Callable[[int], Queue]) -> None:
    line = queue(1)
    for number in range(3):
        await line.come(ANN, f"a{number}")
        await line.end(f"a{number}", after=10.0)
    await line.come(ANN, "a3")
    await line.come(BEN, "b1", "b2")
    await line.come(ANN, "a4")
    await line.end("a3", after=1.0)
    await line.end("b1", after=2.0)
    assert line.begun[3:] == ["a3", "b1", "a4"]
    await line.end("a4")
    await line.end("b2")


async def test_a_cancelled_waiter_is_skipped(queue: Callable[[int], Queue]) -> None:
    line = queue(1)
    await line.come(ANN, "a1")
    await line.come(BEN, "b1", "b2")
    await line.come(CY, "c1")
    line.tasks["b1"].cancel()
    line.tasks["b2"].cancel()
    await settled()
    await line.end("a1")
    assert line.begun == ["a1", "c1"]
    line.tasks["c1"].cancel()
    await settled()
    await line.come(BEN, "b3")
    assert line.begun == ["a1", "c1", "b3"]
    await line.end("b3")


async def test_a_turn_granted_to_a_cancelled_waiter_is_passed_on(queue: Callable[[int], Queue]) -> None:
    line = queue(1)
    async with line.turns.turn(ANN):
        await line.come(BEN, "b1")
        await line.come(CY, "c1")
    line.tasks["b1"].cancel()  # the turn is granted, but the task has not run yet
    await settled()
    assert line.begun == ["c1"]
    await line.end("c1")
