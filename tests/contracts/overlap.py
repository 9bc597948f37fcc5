"""Overlapping transactions in an order fixed by events, not by time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from tests.support.scope import Scope
from tests.support.world import TIME_LIMIT, World

Answer = TypeVar("Answer")
Work = Callable[[Scope], Awaitable[object]]


async def commit(world: World, work: Callable[[Scope], Awaitable[Answer]]) -> Answer:
    """Do the work in a block of its own."""
    async with world.block() as ports:
        return await work(ports)


class Block:
    """A transaction whose block does its work and then stays open until `commit` or `roll_back`."""

    def __init__(self, world: World, work: Work) -> None:
        self._world = world
        self._scope = world.scope()
        self._work = work
        self._worked = asyncio.Event()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run())
        _open.add(self.task)
        self.task.add_done_callback(_open.discard)

    async def open(self) -> Self:
        """Return when the work is done, in the block that stays open."""
        worked = asyncio.create_task(self._worked.wait())
        await asyncio.wait({worked, self.task}, return_when=asyncio.FIRST_COMPLETED, timeout=TIME_LIMIT)
        worked.cancel()
        if self.task.done():
            await self.task
        assert self._worked.is_set(), "the work waits for something"
        return self

    async def waits(self) -> Self:
        """Return when the work waits for a lock."""
        await self.worked_or_waits()
        assert not self._worked.is_set(), "it did not wait"
        return self

    async def worked_or_waits(self) -> None:
        async with asyncio.timeout(TIME_LIMIT):
            # No database has an event for "waits for a lock".
            while not (self._worked.is_set() or self.task.done() or await self._world.lock_is_awaited()):  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def commit(self) -> object:
        self._end.set_result(None)
        return await self.outcome()

    async def roll_back(self) -> None:
        self._end.set_exception(RolledBack())
        assert isinstance(await self.outcome(), RolledBack)

    async def outcome(self) -> object:
        """The result of the work once the block has ended, or its error."""
        async with asyncio.timeout(TIME_LIMIT):
            return (await asyncio.gather(self.task, return_exceptions=True))[0]

    async def _run(self) -> object:
        async with self._scope.transaction:
            answer = await self._work(self._scope)
            self._worked.set()
            await self._end
        return answer


async def end_blocks() -> None:
    """End what a failed test has left open: its locks would block the next tests."""
    for task in list(_open):
        task.cancel()
    await asyncio.gather(*_open, return_exceptions=True)


_open: set[asyncio.Task[object]] = set()


class RolledBack(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Race:
    first: object
    second: object


async def race(world: World, first: Work, second: Work, *, sent: bool) -> Race:
    """Two blocks of which neither sees the other's end before it has written, as far as the adapter lets them.

    An adapter may hold writes back until a read needs them: with `sent` there is such a read before the first one ends.
    """
    leader = await Block(world, sending(first) if sent else first).open()
    follower = Block(world, sending(second) if sent else second)
    await follower.worked_or_waits()
    return Race(await leader.commit(), await follower.commit())


def sending(work: Work) -> Work:
    async def and_reading(ports: Scope) -> object:
        answer = await work(ports)
        await ports.users.username_taken("nobody")
        return answer

    return and_reading
