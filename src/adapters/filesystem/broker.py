import asyncio
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from adapters.task_source import RETRY_AFTER, TaskSource
from core.identifiers import TaskId
from core.ports.broker import Broker
from core.tasks.model import PendingTask

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF; -- it outlives the process; the machine's end is for real brokers to outlive
CREATE TABLE IF NOT EXISTS tasks (number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS ix_tasks_queue_number ON tasks (queue, number);
"""
PUBLISH = "INSERT INTO tasks (queue, body) VALUES (?, ?)"
FIRST = "SELECT number, body FROM tasks WHERE queue = ? ORDER BY number LIMIT 1"
DONE = "DELETE FROM tasks WHERE number = ?"

_log = logging.getLogger(__name__)


class FilesystemBroker(Broker, TaskSource):
    """Queues of one process, persisted in one file.

    Writes do not wait for the disk, so they run on the event loop.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._arrived = asyncio.Condition()
        self._file: sqlite3.Connection | None = None

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        try:
            self._write(tasks)
        except (OSError, sqlite3.Error) as error:
            _log.error("tasks cannot be written root=%s error=%s", self._root, error)
            return []
        async with self._arrived:
            self._arrived.notify_all()
        return [task.task_id for task in tasks]

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            number, body = await self._first(queue)
            try:
                await handle(body)
            except Exception:
                _log.exception("task failed and will be delivered again")
                await asyncio.sleep(RETRY_AFTER)
            else:
                self._opened().execute(DONE, (number,))

    async def reachable(self) -> bool:
        return await asyncio.to_thread(self._is_writable)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _first(self, queue: str) -> tuple[int, bytes]:
        """Wait for the queue's first task."""
        async with self._arrived:
            while (first := self._opened().execute(FIRST, (queue,)).fetchone()) is None:
                await self._arrived.wait()
        number, body = first
        return number, body

    def _write(self, tasks: list[PendingTask]) -> None:
        """Write all tasks in order, or none."""
        with self._opened() as file:
            file.execute("BEGIN")
            file.executemany(PUBLISH, [(task.queue, task.body) for task in tasks])

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            self._root.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(self._root / "queues.sqlite3", isolation_level=None)
            self._file.executescript(SCHEMA)
        return self._file

    def _is_writable(self) -> bool:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self._root, os.W_OK)
