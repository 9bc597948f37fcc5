import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from adapters.task_source import RETRY_AFTER, TaskSource
from core.identifiers import TaskId
from core.ports.broker import Broker
from core.tasks.model import PendingTask


class MemoryBroker(Broker, TaskSource):
    """Queues within this process, not persisted."""

    def __init__(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._pause = pause
        self._waiting: defaultdict[str, list[bytes]] = defaultdict(list)
        self._arrived = asyncio.Condition()

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        async with self._arrived:
            for task in tasks:
                self._waiting[task.queue].append(task.body)
            self._arrived.notify_all()
        return [task.task_id for task in tasks]

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            async with self._arrived:
                await self._arrived.wait_for(lambda: self._waiting[queue])
                body = self._waiting[queue].pop(0)
            try:
                await handle(body)
            except BaseException as error:
                self._waiting[queue].insert(0, body)
                if not isinstance(error, Exception):
                    raise
                await self._pause(RETRY_AFTER)

    async def reachable(self) -> bool:
        return True
