from datetime import datetime
from typing import Protocol

from core.tasks.model import Task


class TaskQueue(Protocol):
    """Tasks for the AI servers, written to the outbox in the open transaction.

    A committed task is published at least once, regardless of broker outages and crashes; a rolled-back one never.
    Within a queue, tasks are published in the order of `(due, put)`. A task is put once.
    """

    async def put(self, task: Task, *, due: datetime | None = None) -> None:
        """Publish the task after the commit, not before `due`; None means its `created_at`."""
        ...
