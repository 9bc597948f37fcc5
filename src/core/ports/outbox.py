from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from core.identifiers import TaskId
from core.tasks.model import PendingTask, Queue


class Batch(Protocol):
    """Tasks of one queue, claimed by one relay; no other relay can claim tasks of that queue until the claim ends."""

    tasks: list[PendingTask]

    async def published(self, task_ids: list[TaskId]) -> None:
        """Mark tasks as confirmed by the broker: they are removed when the claim ends."""
        ...


class Outbox(Protocol):
    """The relay's side of the task queue."""

    def claim(self, queue: Queue, *, now: datetime, limit: int) -> AbstractAsyncContextManager[Batch]:
        """Claim up to `limit` tasks of a queue due by `now`, earliest first.

        The claim ends with the block; tasks not marked published can be claimed again, also after a crash. A queue is
        claimed by one relay at a time to keep the order of its tasks: other relays get no tasks until the claim ends,
        also by a crash. Claims of different queues do not wait for each other.
        """
        ...

    async def wait(self, queue: Queue, *, seconds: float) -> None:
        """Return when a task of the queue may have become due, at the latest after `seconds`; early after a claim that
        found another relay at the queue. One waiter per queue.
        """
        ...
