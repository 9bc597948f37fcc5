import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

import asyncpg

from adapters.postgres.connections import IS_READ_ONLY, ServerUnusable, connect
from core.ports.database import DatabaseUnavailable

_log = logging.getLogger(__name__)

CONNECTION_ERRORS = (DatabaseUnavailable, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
RESPONSE_TIMEOUT = 5.0
"""Seconds to wait for a response of the database."""
CHECK_INTERVAL = 30.0
"""Seconds between checks of the connection: networks drop idle ones silently, and a server that has become a standby
keeps them but gets no notifications from the new primary.
"""
RECONNECT_DELAYS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to connect; the last one is repeated."""

Callback = Callable[[str | None], None]
"""Called with a payload; with None at the beginning and after each interruption, when notifications may have been
missed.
"""


class Listener:
    """Receives notifications over one dedicated connection, which it re-establishes when it breaks."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._callbacks: dict[str, Callback] = {}
        self._wake = asyncio.Event()
        """Set when a channel was added or the connection broke."""
        self._running: asyncio.Task[None] | None = None

    def listen(self, channel: str, callback: Callback) -> None:
        """Have `callback` called until `close`; it is called with None once listening has started.

        Existing listeners on the channel are kept.
        """
        if channel in self._callbacks:
            return
        self._callbacks[channel] = callback
        self._wake.set()
        if self._running is None:
            self._running = asyncio.create_task(self._run(), context=Context())  # it outlives the request

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(RECONNECT_DELAYS[min(failures, len(RECONNECT_DELAYS) - 1)])
            failures += 1
            try:
                connection = await connect(self._dsn, within=RESPONSE_TIMEOUT, command_timeout=RESPONSE_TIMEOUT)
            except CONNECTION_ERRORS as error:
                _log.warning("cannot listen for notifications: %s", error.__cause__ or error)
                continue
            try:
                connection.add_termination_listener(lambda _: self._wake.set())
                failures = 0
                await self._listen(connection)
            except CONNECTION_ERRORS as error:
                _log.warning("notification connection lost: %s", error)
            finally:
                connection.terminate()

    async def _listen(self, connection: "asyncpg.Connection[Any]") -> None:
        """Runs until the connection breaks."""
        listening: set[str] = set()
        while not connection.is_closed():
            self._wake.clear()
            for channel in self._callbacks.keys() - listening:
                await connection.add_listener(channel, self._dispatch)
                listening.add(channel)
                self._callbacks[channel](None)
            try:
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._wake.wait()
            except TimeoutError:
                if await connection.fetchval(IS_READ_ONLY):
                    raise ServerUnusable from None

    def _dispatch(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._callbacks[channel](str(payload))
