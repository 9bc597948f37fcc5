from typing import Protocol

from core.identifiers import TaskId
from core.tasks.model import PendingTask


class Broker(Protocol):
    """The message broker. Publishing to one queue neither waits for nor fails with another queue."""

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        """Publish tasks to their queues, in the given order per queue; return the ids that the broker confirmed as
        durable.

        Never raises and takes at most 10 seconds: an unconfirmed task was refused, unroutable or late, and may have
        arrived. Published again, it is the same message byte for byte with the same message id, by which consumers
        deduplicate.
        """
        ...

    async def reachable(self) -> bool:
        """Whether the broker answers now; False within 2 seconds when it does not."""
        ...
