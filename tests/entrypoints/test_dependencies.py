"""The health endpoint is public: dependencies are checked at most once a second."""

import asyncio

from adapters.memory.clock import ManualClock
from entrypoints.http.dependencies import SHARED_FOR, Probe


class Dependency:
    """Counts its checks; answers when the test allows it."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()
        self.reachable = True

    async def ask(self) -> bool:
        self.asked += 1
        await self.answers.wait()
        return self.reachable


async def test_concurrent_callers_share_a_check() -> None:
    dependency = Dependency()
    probe = Probe(dependency.ask, ManualClock())
    async with asyncio.TaskGroup() as callers:
        tasks = [callers.create_task(probe()) for _ in range(20)]
        await asyncio.sleep(0)
        dependency.answers.set()

    assert (dependency.asked, {task.result() for task in tasks}) == (1, {True})


async def test_a_check_is_cached_for_a_second() -> None:
    dependency, clock = Dependency(), ManualClock()
    dependency.answers.set()
    probe = Probe(dependency.ask, clock)
    assert await probe()

    dependency.reachable = False
    clock.advance(SHARED_FOR / 2)
    assert await probe()
    clock.advance(SHARED_FOR / 2)
    assert not await probe()

    assert dependency.asked == 2


async def test_a_slow_dependency_is_checked_once_at_a_time() -> None:
    dependency, clock = Dependency(), ManualClock()
    probe = Probe(dependency.ask, clock)
    first = asyncio.create_task(probe())
    await asyncio.sleep(0)
    clock.advance(10 * SHARED_FOR)
    second = asyncio.create_task(probe())
    await asyncio.sleep(0)
    dependency.answers.set()

    assert (await first, await second, dependency.asked) == (True, True, 1)


async def test_a_cancelled_caller_does_not_cancel_the_check() -> None:
    dependency = Dependency()
    probe = Probe(dependency.ask, ManualClock())
    gone, stays = asyncio.create_task(probe()), asyncio.create_task(probe())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    dependency.answers.set()

    assert await stays
    assert (gone.cancelled(), dependency.asked) == (True, 1)
