from dataclasses import dataclass

from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.outbox import Outbox
from core.tasks.model import Queue


@dataclass(frozen=True, slots=True)
class PublishTasks:
    """Publish due tasks of one queue, one batch. Queues are independent of each other."""

    outbox: Outbox
    broker: Broker
    clock: Clock

    async def __call__(self, queue: Queue, *, limit: int = 100) -> tuple[int, int]:
        """Return how many tasks were claimed and how many of them the broker confirmed."""
        async with self.outbox.claim(queue, now=self.clock.now(), limit=limit) as batch:
            if not batch.tasks:
                return 0, 0
            confirmed = await self.broker.publish(batch.tasks)
            await batch.published(confirmed)
            return len(batch.tasks), len(confirmed)
