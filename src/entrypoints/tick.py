import asyncio
from dataclasses import dataclass

import msgspec

from core.tasks.model import QUEUES, Queue
from core.tasks.publish_tasks import PublishTasks
from entrypoints.sweep import Sweep, Swept

PUBLISHING = 25.0
"""Seconds after which publishing makes way for the sweep."""


class Ticked(msgspec.Struct, frozen=True):
    published: int
    """Tasks that the broker has taken."""
    all_published: bool
    """Whether nothing that is due waits in the outbox, but for what another relay is at."""
    swept: Swept


@dataclass(frozen=True, slots=True)
class Tick:
    """One pass over all that is done in the background elsewhere, for where nothing runs between requests."""

    publish: PublishTasks
    sweep: Sweep

    async def __call__(self) -> Ticked:
        published, all_published = await self._publish()
        return Ticked(published, all_published, await self.sweep())

    async def _publish(self) -> tuple[int, bool]:
        """All queues at once: one that takes nothing does not delay the others."""
        queues = await asyncio.gather(*(self._publish_to(queue) for queue in QUEUES))
        return sum(published for published, _ in queues), all(all_published for _, all_published in queues)

    async def _publish_to(self, queue: Queue) -> tuple[int, bool]:
        """Until nothing is left, the broker does not take it, or time is up."""
        clock = asyncio.get_running_loop()
        until, published = clock.time() + PUBLISHING, 0
        while clock.time() < until:
            claimed, confirmed = await self.publish(queue)
            published += confirmed
            if claimed == 0 or confirmed < claimed:
                return published, claimed == 0
        return published, False
