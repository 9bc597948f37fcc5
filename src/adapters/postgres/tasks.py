import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from adapters.postgres.listener import Listener
from adapters.postgres.pool import OpenTransaction, Pool, Record
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import hexadecimal, insert
from core.identifiers import TaskId
from core.ports.outbox import Batch, Outbox
from core.ports.task_queue import TaskQueue
from core.tasks.model import QUEUES, PendingTask, Queue, Task, pending

LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('outbox'), hashtext($1)) AS locked"
"""False if another relay has claimed the queue. Released at the end of the transaction, also by a crash."""
CLAIM = """
SELECT sequence, task_id, queue, body FROM outbox WHERE due <= $1 AND queue = $3
ORDER BY due, sequence LIMIT $2
FOR UPDATE
"""
RECLAIM_INTERVAL = 0.1
"""Seconds until a relay tries again to claim a queue claimed by another."""
CHANNEL = "outbox"
PUBLISHED = "DELETE FROM outbox WHERE sequence = ANY($1)"


class PostgresBatch(Batch):
    def __init__(self, rows: list[Record]) -> None:
        self.tasks = [PendingTask(TaskId(str(row["task_id"])), row["queue"], row["body"]) for row in rows]
        self._sequences = {task.task_id: row["sequence"] for task, row in zip(self.tasks, rows, strict=True)}
        self.confirmed: list[int] = []

    async def published(self, task_ids: list[TaskId]) -> None:
        self.confirmed += [self._sequences[task_id] for task_id in task_ids]


class PostgresOutbox(Outbox):
    """One per process: woken by commits of this process and, through a listener, of others.

    With `notifies`, it notifies relays in other processes.
    """

    def __init__(self, pool: Pool, *, listener: Listener | None = None, notifies: bool = False) -> None:
        self._pool = pool
        self._woken = {queue: asyncio.Event() for queue in QUEUES}
        self._standing_by: set[Queue] = set()
        self._listener = listener
        self._notifies = notifies

    @asynccontextmanager
    async def claim(self, queue: Queue, *, now: datetime, limit: int) -> AsyncIterator[Batch]:
        """The rows stay locked, on a separate connection, until the block ends."""
        transaction = await self._pool.begin()
        batch = PostgresBatch([])
        try:
            [row] = await transaction.fetch(LOCK, queue)
            if row["locked"]:
                self._standing_by.discard(queue)
                batch = PostgresBatch(await transaction.fetch(CLAIM, now, limit, queue))
            else:
                self._standing_by.add(queue)
            yield batch
        finally:
            await _end(transaction, batch.confirmed)

    async def wait(self, queue: Queue, *, seconds: float) -> None:
        if self._listener is not None:
            self._listener.listen(CHANNEL, lambda _: self._wake(*QUEUES))
        woken = self._woken[queue]
        try:
            async with asyncio.timeout(RECLAIM_INTERVAL if queue in self._standing_by else seconds):
                await woken.wait()
        except TimeoutError:
            return
        woken.clear()

    def wake(self, queue: Queue) -> None:
        self._wake(queue)
        if self._notifies:
            self._pool.notifier.notify(CHANNEL)

    def _wake(self, *queues: Queue) -> None:
        for queue in queues:
            self._woken[queue].set()


class PostgresTaskQueue(TaskQueue):
    def __init__(self, transaction: PostgresTransaction, outbox: PostgresOutbox) -> None:
        self._transaction = transaction
        self._outbox = outbox

    async def put(self, task: Task, *, due: datetime | None = None) -> None:
        waiting = pending(task)
        row = {
            "task_id": waiting.task_id,
            "queue": waiting.queue,
            "body": hexadecimal(waiting.body),
            "due": due or task.created_at,
        }
        await self._transaction.write(insert("outbox", tuple(row)), row)
        self._transaction.after_commit(lambda: self._outbox.wake(waiting.queue))


async def _end(claim: OpenTransaction, confirmed: list[int]) -> None:
    if not confirmed:
        await claim.rollback()
        return
    try:
        await claim.fetch(PUBLISHED, confirmed)
    except BaseException:
        await claim.rollback()
        raise
    await claim.commit()
