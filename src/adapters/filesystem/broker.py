import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

from adapters.simulated_ai.source import TaskSource
from core.identifiers import TaskId
from core.ports.broker import Broker
from core.tasks.model import PendingTask

PAUSE = 1.0
"""Seconds before a task that its consumer has not finished is delivered again."""

_log = logging.getLogger(__name__)


class FilesystemBroker(Broker, TaskSource):
    """Queues in a folder, for one process that publishes and consumes: what is waiting when it ends is there again.

    A task is a file from its publication until its consumer has finished with it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._published = asyncio.Condition()
        self._numbers: Iterator[int] = count(time.time_ns())

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        confirmed = []
        for task in tasks:
            try:
                await asyncio.to_thread(self._write, task)
            except OSError as error:
                _log.error("%s cannot be written: %s", self._directory, error)
                break
            confirmed.append(task.task_id)
        async with self._published:
            self._published.notify_all()
        return confirmed

    async def reachable(self) -> bool:
        return await asyncio.to_thread(self._is_writable)

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            file = await self._first(queue)
            try:
                await handle(await asyncio.to_thread(file.read_bytes))
            except Exception:
                _log.exception("%s is delivered again", file.name)
                await asyncio.sleep(PAUSE)
            else:
                _forget(file)

    async def _first(self, queue: str) -> Path:
        async with self._published:
            while not (files := await asyncio.to_thread(self._files, queue)):
                await self._published.wait()
        return files[0]

    def _files(self, queue: str) -> list[Path]:
        return sorted((self._directory / queue).glob("*.json"))

    def _write(self, task: PendingTask) -> None:
        folder = self._directory / task.queue
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{next(self._numbers):020d}-{task.task_id}.json"
        unfinished = file.with_suffix(".new")
        with unfinished.open("wb") as opened:
            opened.write(task.body)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(file)

    def _is_writable(self) -> bool:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self._directory, os.W_OK)


def _forget(file: Path) -> None:
    """In one go: a cancelled consumer must not leave what it has finished."""
    file.unlink(missing_ok=True)
