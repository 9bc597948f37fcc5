import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import get_args

from adapters.memory.database import MemoryDatabase
from adapters.memory.tables import QueuedTask, Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import TaskId
from core.ports.outbox import Batch, Outbox
from core.ports.task_queue import TaskQueue
from core.tasks.model import PendingTask, Queue, Task, pending

STAND_BY = 0.1
"""Seconds after which a relay looks again that has found another at its queues."""


def waits(tables: Tables, task_id: TaskId) -> bool:
    """Whether the task has not been published."""
    return any(row.task.task_id == task_id for row in tables.outbox.values())


class MemoryOutbox(Outbox):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._woken = asyncio.Event()
        self._stands_by = False

    @asynccontextmanager
    async def claim(self, *, now: datetime, limit: int) -> AsyncIterator[Batch]:
        mine = set(get_args(Queue)) - self._database.claimed
        self._stands_by = len(mine) < len(get_args(Queue))
        self._database.claimed |= mine
        claimed = dict(self._due(now, mine)[:limit])
        batch = MemoryBatch(list(claimed.values()))
        try:
            yield batch
        finally:
            gone = [number for number, task in claimed.items() if task.task_id in batch.confirmed]
            self._database.apply([lambda tables: [tables.outbox.pop(number) for number in gone]])
            self._database.claimed -= mine

    async def wait(self, *, seconds: float) -> None:
        try:
            async with asyncio.timeout(STAND_BY if self._stands_by else seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def _due(self, now: datetime, queues: set[str]) -> list[tuple[int, PendingTask]]:
        waiting = self._database.committed.outbox.items()
        due = [(row.due, number) for number, row in waiting if row.due <= now and row.task.queue in queues]
        return [(number, self._database.committed.outbox[number].task) for _, number in sorted(due)]


class MemoryBatch(Batch):
    def __init__(self, tasks: list[PendingTask]) -> None:
        self.tasks = tasks
        self.confirmed: set[TaskId] = set()

    async def published(self, task_ids: list[TaskId]) -> None:
        self.confirmed.update(task_ids)


class MemoryTaskQueue(TaskQueue):
    def __init__(self, transaction: MemoryTransaction, outbox: MemoryOutbox) -> None:
        self._transaction = transaction
        self._outbox = outbox

    async def put(self, task: Task, *, due: datetime | None = None) -> None:
        number = self._transaction.database.next("outbox")
        row = QueuedTask(pending(task), due or task.created_at)

        def operation(tables: Tables) -> None:
            tables.outbox[number] = row

        self._transaction.write(operation)
        self._transaction.after_commit(self._outbox.wake)
