import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.errors import DomainError
from core.ports.outbox import Outbox
from core.tasks.model import QUEUES, Queue
from core.tasks.publish_tasks import PublishTasks
from entrypoints.container import create_container
from entrypoints.maintenance import run_maintenance
from entrypoints.settings import Settings
from entrypoints.signals import stop_event

POLL = 2.0
"""Seconds after which the outbox is read without a notification."""
GATHERING = 0.01
"""Seconds after a batch in which tasks gather for the next one: each batch costs the database as much as any other."""
BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between attempts while tasks cannot be published; the last one is repeated."""
BATCH = 100
"""Maximum number of tasks of one batch."""
FINISHING = 4.0
"""Seconds that a batch may still take when the relay stops; the process has ten for its whole shutdown."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Relay:
    """Publishes tasks of the outbox when they become due, each queue separately. Any number may run at once."""

    publish: PublishTasks
    outbox: Outbox
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Run until cancelled, despite failures. The batch under way is finished, so that it is not sent twice."""
        async with asyncio.TaskGroup() as group:
            for queue in QUEUES:
                group.create_task(self._run(queue))

    async def _run(self, queue: Queue) -> None:
        failures = 0
        while True:
            trouble = await self._publish_all(queue)
            if trouble is None:
                if failures:
                    _log.info("publishing resumed queue=%s", queue)
                failures = 0
                continue
            if not failures:
                _log.warning("tasks wait in the outbox queue=%s: %s", queue, trouble)
            await self.pause(BACK_OFF[min(failures, len(BACK_OFF) - 1)])
            failures += 1

    async def _publish_all(self, queue: Queue) -> str | None:
        """Publish what is due and wait for more; returns what prevents it, if anything does."""
        try:
            claimed, confirmed = await _finished(self.publish(queue, limit=BATCH))
            if claimed < BATCH and claimed == confirmed:
                if claimed:
                    await self.pause(GATHERING)
                await self.outbox.wait(queue, seconds=POLL)
        except DomainError as error:
            return str(error)
        except Exception as error:
            _log.exception("relay iteration failed queue=%s", queue)
            return str(error)
        return None if claimed == confirmed else f"the broker has taken {confirmed} of {claimed}."


async def _finished(batch: Awaitable[tuple[int, int]]) -> tuple[int, int]:
    """The result. When cancelled, wait up to FINISHING for it first."""
    work = asyncio.ensure_future(batch)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work], timeout=FINISHING)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        raise


async def run_relay(settings: Settings) -> None:
    """Run a relay and maintenance passes until a signal stops the process."""
    stop = stop_event()
    container = create_container(settings)
    try:
        relay = Relay(await container.get(PublishTasks), await container.get(Outbox))
        working = [asyncio.create_task(relay.run()), asyncio.create_task(run_maintenance(container))]
        stopping = asyncio.create_task(stop.wait())
        _log.info("relay started")
        await asyncio.wait([*working, stopping], return_when=asyncio.FIRST_COMPLETED)
        _log.info("relay stopping")
        for task in working:
            task.cancel()
        await asyncio.wait(working)
    finally:
        await container.close()
