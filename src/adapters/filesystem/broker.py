import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast, get_args

from adapters.simulated_ai.source import RETRY_AFTER, TaskSource
from core.identifiers import TaskId
from core.ports.broker import Broker
from core.tasks.model import PendingTask, Queue

_log = logging.getLogger(__name__)


class FilesystemBroker(Broker, TaskSource):
    """Queues of one process that outlive it: a folder a queue, a file a task, named in the order of arrival.

    What waits is listed once, at the start; from then on only this process writes there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._arrived = asyncio.Condition()
        self._waiting = {queue: deque(sorted((root / queue).glob("*-*"))) for queue in get_args(Queue)}
        numbers = [int(file.name.partition("-")[0]) for files in self._waiting.values() for file in files]
        self._last = max(numbers, default=0)

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        written = []
        async with self._arrived:
            for task, file in await asyncio.to_thread(self._write, tasks):
                self._waiting[task.queue].append(file)
                written.append(task.task_id)
            self._arrived.notify_all()
        return written

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        waiting = self._waiting[cast("Queue", queue)]
        while True:
            async with self._arrived:
                await self._arrived.wait_for(lambda: waiting)
            file = waiting[0]
            try:
                await handle(await asyncio.to_thread(file.read_bytes))
            except Exception:
                _log.exception("A task is handed out again: handling it failed.")
                await asyncio.sleep(RETRY_AFTER)
            else:
                file.unlink()
                waiting.popleft()

    async def reachable(self) -> bool:
        return await asyncio.to_thread(self._is_writable)

    def _write(self, tasks: list[PendingTask]) -> list[tuple[PendingTask, Path]]:
        """As many as can be written, in their order."""
        written = []
        try:
            for task in tasks:
                folder = self._root / task.queue
                folder.mkdir(parents=True, exist_ok=True)
                file = folder / f"{self._last + 1:012}-{task.task_id}"
                unfinished = folder / ".unfinished"
                unfinished.write_bytes(task.body)
                unfinished.rename(file)
                self._last += 1
                written.append((task, file))
        except OSError as error:
            _log.error("A task cannot be written to %s: %s", self._root, error)
        return written

    def _is_writable(self) -> bool:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self._root, os.W_OK)
