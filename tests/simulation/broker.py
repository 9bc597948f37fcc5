from collections.abc import Awaitable, Callable
from random import Random

from adapters.memory.broker import MemoryBroker
from core.identifiers import TaskId
from core.ports.broker import Broker
from core.tasks.model import PendingTask
from tests.simulation.faults import Faults

AWAY = 0.05
REFUSED = 0.05
UNCONFIRMED = 0.05
DOUBLED = 0.05
SHUFFLED = 0.2


class FaultyBroker(Broker):
    """The memory broker with faults: refused, unconfirmed, duplicated and reordered messages."""

    def __init__(self, faults: Faults, random: Random, pause: Callable[[float], Awaitable[None]]) -> None:
        self._faults = faults
        self._random = random
        self._pause = pause
        self._queues = MemoryBroker(pause)
        self.taken: dict[TaskId, PendingTask] = {}
        """Every task that was ever put into a queue."""
        self.under_way = 0
        """Messages that no AI server has acknowledged."""

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        await self._pause(0)
        if self._faults.strike(AWAY):
            return []
        tasks = list(tasks)
        if self._faults.strike(SHUFFLED):
            self._random.shuffle(tasks)
        confirmed = []
        for task in tasks:
            if self._faults.strike(REFUSED):
                continue
            await self.deliver(task)
            if self._faults.strike(DOUBLED):
                await self.deliver(task)
            if not self._faults.strike(UNCONFIRMED):
                confirmed.append(task.task_id)
        await self._pause(0)
        return confirmed

    async def deliver(self, task: PendingTask) -> None:
        self.taken[task.task_id] = task
        self.under_way += 1
        await self._queues.publish([task])

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        async def handled(body: bytes) -> None:
            await handle(body)
            self.under_way -= 1

        await self._queues.consume(queue, handled)

    async def reachable(self) -> bool:
        return True
