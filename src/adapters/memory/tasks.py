import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from adapters.memory.database import MemoryDatabase
from adapters.memory.tables import QueuedTask, Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import TaskId
from core.ports.outbox import Batch, Outbox
from core.ports.task_queue import TaskQueue
from core.tasks.model import QUEUES, PendingTask, Queue, Task, pending

RECLAIM_INTERVAL = 0.1
"""Seconds until a relay tries again to claim a queue claimed by another."""


def waits(tables: Tables, task_id: TaskId) -> bool:
    """Whether the task is not published yet."""
    return any(row.task.task_id == task_id for row in tables.outbox.values())


class MemoryOutbox(Outbox):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._woken = {queue: asyncio.Event() for queue in QUEUES}
        self._standing_by: set[Queue] = set()

    @asynccontextmanager
    async def claim(self, queue: Queue, *, now: datetime, limit: int) -> AsyncIterator[Batch]:
        if queue in self._database.claimed:
            self._standing_by.add(queue)
            yield MemoryBatch([])
            return
        self._standing_by.discard(queue)
        self._database.claimed.add(queue)
        claimed = dict(self._due(now, queue)[:limit])
        batch = MemoryBatch(list(claimed.values()))
        try:
            yield batch
        finally:
            gone = [number for number, task in claimed.items() if task.task_id in batch.confirmed]
            self._database.apply([lambda tables: [tables.outbox.pop(number) for number in gone]])
            self._database.claimed.remove(queue)

    async def wait(self, queue: Queue, *, seconds: float) -> None:
        woken = self._woken[queue]
        try:
            async with asyncio.timeout(RECLAIM_INTERVAL if queue in self._standing_by else seconds):
                await woken.wait()
        except TimeoutError:
            return
        woken.clear()

    def wake(self, queue: Queue) -> None:
        self._woken[queue].set()

    def _due(self, now: datetime, queue: Queue) -> list[tuple[int, PendingTask]]:
        waiting = self._database.committed.outbox.items()
        due = [(row.due, number) for number, row in waiting if row.due <= now and row.task.queue == queue]
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
        self._transaction.after_commit(lambda: self._outbox.wake(row.task.queue))
