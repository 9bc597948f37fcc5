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
from core.tasks.model import PendingTask, Task, pending


class MemoryOutbox(Outbox):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._woken = asyncio.Event()

    @asynccontextmanager
    async def claim(self, *, now: datetime, limit: int) -> AsyncIterator[Batch]:
        due = [
            (row.due, number, row.task)
            for number, row in self._database.tables.outbox.items()
            if row.due <= now and number not in self._database.claimed
        ]
        claimed = {number: task for _, number, task in sorted(due)[:limit]}
        batch = MemoryBatch(list(claimed.values()))
        self._database.claimed |= claimed.keys()
        try:
            yield batch
        finally:
            gone = [number for number, task in claimed.items() if task.task_id in batch.confirmed]
            self._database.apply([lambda tables: [tables.outbox.pop(number) for number in gone]])
            self._database.claimed -= claimed.keys()

    async def wait(self, *, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()


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
