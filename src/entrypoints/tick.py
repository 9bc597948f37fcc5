import asyncio
from dataclasses import dataclass

import msgspec

from core.tasks.model import QUEUES, Queue
from core.tasks.publish_tasks import PublishTasks
from entrypoints.maintenance import MaintenancePass, MaintenanceReport

PUBLISHING = 25.0
"""Seconds after which publishing stops, so that the maintenance pass runs."""


class Ticked(msgspec.Struct, frozen=True):
    published: int
    """Tasks that the broker has confirmed."""
    all_published: bool
    """Whether the outbox has no due task left, except those that another relay publishes."""
    maintenance: MaintenanceReport


@dataclass(frozen=True, slots=True)
class Tick:
    """One pass of the relay and of maintenance, for platforms on which nothing runs between requests."""

    publish: PublishTasks
    maintenance: MaintenancePass

    async def __call__(self) -> Ticked:
        published, all_published = await self._publish()
        return Ticked(published, all_published, await self.maintenance())

    async def _publish(self) -> tuple[int, bool]:
        """All queues at once: a blocked queue does not delay the others."""
        queues = await asyncio.gather(*(self._publish_to(queue) for queue in QUEUES))
        return sum(published for published, _ in queues), all(all_published for _, all_published in queues)

    async def _publish_to(self, queue: Queue) -> tuple[int, bool]:
        """Until no task is left, the broker does not confirm, or the time is up."""
        clock = asyncio.get_running_loop()
        until, published = clock.time() + PUBLISHING, 0
        while clock.time() < until:
            claimed, confirmed = await self.publish(queue)
            published += confirmed
            if claimed == 0 or confirmed < claimed:
                return published, claimed == 0
        return published, False
