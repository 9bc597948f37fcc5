"""Whether the database, the queue and the storage answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from core.ports.blob_store import BlobStore
from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.database import Database

SHARED_FOR = timedelta(seconds=1)
"""How long a result is shared: the health endpoint is public and has no rate limit."""


class Probe:
    """Checks a dependency at most once per SHARED_FOR, for all callers together."""

    def __init__(self, ask: Callable[[], Awaitable[bool]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._asked: asyncio.Future[bool] | None = None
        self._asked_at = clock.now()

    async def __call__(self) -> bool:
        now = self._clock.now()
        fresh = self._asked_at <= now < self._asked_at + SHARED_FOR  # a clock may be set back
        if self._asked is None or (self._asked.done() and not fresh):
            self._asked, self._asked_at = asyncio.ensure_future(self._ask()), now
        return await asyncio.shield(self._asked)


class Dependencies:
    def __init__(self, database: Database, broker: Broker, blobs: BlobStore, clock: Clock) -> None:
        self.database = Probe(database.reachable, clock)
        self.queue = Probe(broker.reachable, clock)
        self.storage = Probe(blobs.reachable, clock)
