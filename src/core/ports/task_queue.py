from datetime import datetime
from typing import Protocol

from core.tasks.model import Task


class TaskQueue(Protocol):
    """Tasks for the AI servers, written to the outbox in the open transaction.

    A task of a committed transaction is published at least once, however long the broker is away and whatever crashes;
    one of a transaction that rolled back never is. Within a queue, tasks go out in the order of `(due, put)`. A task is
    put once.
    """

    async def put(self, task: Task, *, due: datetime | None = None) -> None:
        """Publish the task after the commit and not before `due`; None stands for when it was made (`created_at`)."""
        ...
