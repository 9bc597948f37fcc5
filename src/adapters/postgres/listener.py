import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

import asyncpg

from adapters.postgres.connections import IS_READ_ONLY, ServerUnusable, connect
from core.ports.database import DatabaseUnavailable

_log = logging.getLogger(__name__)

TROUBLE = (DatabaseUnavailable, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
PATIENCE = 5.0
"""Seconds to wait for a response of the database."""
DOUBT = 30.0
"""Seconds between checks of the connection: networks drop idle ones silently, and a server that has become a standby
keeps them but gets no notifications from the new primary.
"""
PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to connect; the last one is repeated."""

Heard = Callable[[str | None], None]
"""Called with a payload; with None at the beginning and after each interruption, when notifications may have been
missed.
"""


class Listener:
    """Receives notifications over one dedicated connection, which it re-establishes when it breaks."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._heard: dict[str, Heard] = {}
        self._attention = asyncio.Event()
        """Set when a channel was added or the connection broke."""
        self._keeping: asyncio.Task[None] | None = None

    def listen(self, channel: str, heard: Heard) -> None:
        """Have `heard` called until `close`; it is called with None once listening has started.

        Existing listeners on the channel are kept.
        """
        if channel in self._heard:
            return
        self._heard[channel] = heard
        self._attention.set()
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), context=Context())  # it outlives the request

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})

    async def _keep(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1
            try:
                connection = await connect(self._dsn, within=PATIENCE, command_timeout=PATIENCE)
            except TROUBLE as error:
                _log.warning("cannot listen for notifications: %s", error.__cause__ or error)
                continue
            try:
                connection.add_termination_listener(lambda _: self._attention.set())
                failures = 0
                await self._hear(connection)
            except TROUBLE as error:
                _log.warning("notification connection lost: %s", error)
            finally:
                connection.terminate()

    async def _hear(self, connection: "asyncpg.Connection[Any]") -> None:
        """Runs until the connection breaks."""
        heeded: set[str] = set()
        while not connection.is_closed():
            self._attention.clear()
            for channel in self._heard.keys() - heeded:
                await connection.add_listener(channel, self._pass_on)
                heeded.add(channel)
                self._heard[channel](None)
            try:
                async with asyncio.timeout(DOUBT):
                    await self._attention.wait()
            except TimeoutError:
                if await connection.fetchval(IS_READ_ONLY):
                    raise ServerUnusable from None

    def _pass_on(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._heard[channel](str(payload))
