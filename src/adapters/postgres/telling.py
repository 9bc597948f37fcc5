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
"""Seconds between two of them: whoever listens looks for all that is there."""


class Teller:
    """Tells listeners in all processes, this one included; each of them once, however often it is said meanwhile.

    Not in the transactions that it tells of: they would stand in line for NOTIFY at their commits, where a small write
    takes five times as long (measured). And not of each by itself: one that is under way speaks for all that come
    meanwhile. What cannot be told is dropped: listeners look by themselves when they have not been able to hear.
    """

    def __init__(self, fetch: Callable[..., Awaitable[object]]) -> None:
        self._fetch = fetch
        self._untold: set[tuple[str, str]] = set()
        self._telling: asyncio.Task[None] | None = None

    def tell(self, channel: str, payload: str = "") -> None:
        """Soon: the call returns at once."""
        self._untold.add((channel, payload))
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(), context=Context())  # it outlives the request

    async def told(self) -> None:
        """Return when nothing is left to be told."""
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
            _log.warning("Listeners cannot be told; they look by themselves.")
        finally:
            self._telling = None
