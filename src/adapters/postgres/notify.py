import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context

from core.ports.database import DatabaseUnavailable

_log = logging.getLogger(__name__)

NOTIFY = """
SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS pending (channel, payload)
"""
SEND_INTERVAL = 0.02
"""Seconds between two notifications of a channel; listeners read all that is new at once."""


class ChannelNotifier:
    """Sends NOTIFY to listeners in all processes, this one included; repeated notifications of a topic are merged.

    Outside the transactions that it reports: NOTIFY serializes commits, which makes a small write take five times as
    long (measured). Notifications that arrive while one is being sent are sent together. Failed ones are dropped:
    listeners read by themselves after an interruption.
    """

    def __init__(self, fetch: Callable[..., Awaitable[object]]) -> None:
        self._fetch = fetch
        self._pending: set[tuple[str, str]] = set()
        self._sending: asyncio.Task[None] | None = None

    def notify(self, channel: str, payload: str = "") -> None:
        """Send soon; the call returns at once."""
        self._pending.add((channel, payload))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), context=Context())  # it outlives the request

    async def wait_until_sent(self) -> None:
        """Return when everything is sent."""
        while self._sending is not None:
            await asyncio.wait({self._sending})

    async def _send(self) -> None:
        try:
            while self._pending:
                pending, self._pending = self._pending, set()
                channels, payloads = zip(*pending, strict=True)
                await self._fetch(NOTIFY, channels, payloads)
                await asyncio.sleep(SEND_INTERVAL)
        except DatabaseUnavailable:
            _log.warning("notifications dropped, listeners will read by themselves")
        finally:
            self._sending = None
