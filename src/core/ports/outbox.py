from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from core.identifiers import TaskId
from core.tasks.model import PendingTask, Queue


class Batch(Protocol):
    """Tasks of one queue, claimed by one relay; no other relay gets any of that queue until the claim ends."""

    tasks: list[PendingTask]

    async def published(self, task_ids: list[TaskId]) -> None:
        """The broker has confirmed these: they leave the outbox when the claim ends."""
        ...


class Outbox(Protocol):
    """The relay's side of the task queue."""

    def claim(self, queue: Queue, *, now: datetime, limit: int) -> AbstractAsyncContextManager[Batch]:
        """Claim up to `limit` tasks of a queue due by `now`, first due first.

        The claim ends with the block; what was not marked published is there for the next claim, also after a crash.
        A queue is one relay's at a time, so that its tasks go out in order: others stand by, get none of its tasks, and
        take over when the claim ends, also by a crash. Claims of different queues do not wait for each other.
        """
        ...

    async def wait(self, queue: Queue, *, seconds: float) -> None:
        """Return when a task of the queue may have become due, at the latest after `seconds`; soon after a claim that
        found another relay at the queue. One waits for a queue at a time."""
        ...
