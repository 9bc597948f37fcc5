from typing import Protocol

from core.identifiers import TaskId
from core.tasks.model import PendingTask


class Broker(Protocol):
    """Publishing to one queue neither waits for another queue nor fails because of it."""

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        """Hand tasks to their queues, in the order given within each; answer those that the broker has made durable.

        Never raises and never takes more than 10 seconds: a task that is not in the answer was refused, unroutable or
        not confirmed in time, and may have arrived all the same. Published again, a task is the same message byte for
        byte with the same message id: consumers know it by that.
        """
        ...

    async def reachable(self) -> bool:
        """Whether the broker answers now; False within 2 seconds when it does not."""
        ...
