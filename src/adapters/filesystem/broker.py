import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from adapters.simulated_ai.source import TaskSource
from core.identifiers import TaskId
from core.ports.broker import Broker
from core.tasks.model import PendingTask

RETRY_AFTER = 0.1
"""Seconds until a task whose handling failed is handed out again."""

_log = logging.getLogger(__name__)


class FilesystemBroker(Broker, TaskSource):
    """Queues of one process that outlive it: a folder a queue, a file a task, named in the order of arrival."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._arrived = asyncio.Condition()
        self._last = 0

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        written = []
        async with self._arrived:
            for task in tasks:
                try:
                    await asyncio.to_thread(self._write, task)
                except OSError as error:
                    _log.error("A task cannot be written to %s: %s", self._root, error)
                    break
                written.append(task.task_id)
            self._arrived.notify_all()
        return written

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            async with self._arrived:
                await self._arrived.wait_for(lambda: self._waiting(queue))
                file = self._waiting(queue)[0]
            try:
                await handle(file.read_bytes())
            except Exception:
                _log.exception("A task is handed out again: handling it failed.")
                await asyncio.sleep(RETRY_AFTER)
            else:
                file.unlink()

    async def reachable(self) -> bool:
        return await asyncio.to_thread(self._is_writable)

    def _write(self, task: PendingTask) -> None:
        folder = self._root / task.queue
        folder.mkdir(parents=True, exist_ok=True)
        waiting = self._waiting(task.queue)
        self._last = max(self._last, int(waiting[-1].name.partition("-")[0]) if waiting else 0) + 1
        unfinished = folder / ".unfinished"
        with unfinished.open("wb") as file:
            file.write(task.body)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(folder / f"{self._last:012}-{task.task_id}")

    def _waiting(self, queue: str) -> list[Path]:
        return sorted((self._root / queue).glob("*-*"))

    def _is_writable(self) -> bool:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self._root, os.W_OK)
