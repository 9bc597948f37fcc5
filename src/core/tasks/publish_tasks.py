from dataclasses import dataclass

from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.outbox import Outbox


@dataclass(frozen=True, slots=True)
class PublishTasks:
    """Publish what is due in the outbox, one batch; answers how many were claimed and how many confirmed."""

    outbox: Outbox
    broker: Broker
    clock: Clock

    async def __call__(self, *, limit: int = 100) -> tuple[int, int]:
        async with self.outbox.claim(now=self.clock.now(), limit=limit) as batch:
            if not batch.tasks:
                return 0, 0
            confirmed = await self.broker.publish(batch.tasks)
            await batch.published(confirmed)
            return len(batch.tasks), len(confirmed)
