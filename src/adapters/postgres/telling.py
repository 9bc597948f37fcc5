import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context

from core.ports.database import DatabaseUnavailable

_log = logging.getLogger(__name__)

TELL = """
SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS told (channel, payload)
"""
QUIET = 0.02
"""Seconds between two notifications of a channel; listeners read all that is new at once."""


class Teller:
    """Sends NOTIFY to listeners in all processes, this one included; repeated notifications of a topic are merged.

    Outside the transactions that it reports: NOTIFY serializes commits, which makes a small write take five times as
    long (measured). Notifications that arrive while one is being sent are sent together. Failed ones are dropped:
    listeners read by themselves after an interruption.
    """

    def __init__(self, fetch: Callable[..., Awaitable[object]]) -> None:
        self._fetch = fetch
        self._untold: set[tuple[str, str]] = set()
        self._telling: asyncio.Task[None] | None = None

    def tell(self, channel: str, payload: str = "") -> None:
        """Send soon; the call returns at once."""
        self._untold.add((channel, payload))
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(), context=Context())  # it outlives the request

    async def told(self) -> None:
        """Return when everything is sent."""
        while self._telling is not None:
            await asyncio.wait({self._telling})

    async def _tell(self) -> None:
        try:
            while self._untold:
                untold, self._untold = self._untold, set()
                channels, payloads = zip(*untold, strict=True)
                await self._fetch(TELL, channels, payloads)
                await asyncio.sleep(QUIET)
        except DatabaseUnavailable:
            _log.warning("notifications dropped, listeners will read by themselves")
        finally:
            self._telling = None
