from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from core.identifiers import TaskId
from core.tasks.model import PendingTask


class Batch(Protocol):
    """Tasks claimed by one relay; no other relay sees any of their queues until the claim ends."""

    tasks: list[PendingTask]

    async def published(self, task_ids: list[TaskId]) -> None:
        """The broker has confirmed these: they leave the outbox when the claim ends."""
        ...


class Outbox(Protocol):
    """The relay's side of the task queue."""

    def claim(self, *, now: datetime, limit: int) -> AbstractAsyncContextManager[Batch]:
        """Claim up to `limit` tasks due by `now`, first due first.

        The claim ends with the block; what was not marked published is there for the next claim, also after a crash.
        A queue is one relay's at a time, so that its tasks go out in order: others stand by, get none of its tasks, and
        take over when the claim ends, also by a crash.
        """
        ...

    async def wait(self, *, seconds: float) -> None:
        """Return when a task may have become due, at the latest after `seconds`; soon, for who had to stand by."""
        ...
