import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg

TROUBLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Listener:
    """Hears what is told on a channel, over a connection of its own."""

    def __init__(self, dsn: str, channel: str) -> None:
        self._dsn = dsn
        self._channel = channel
        self._connection: asyncpg.Connection[Any] | None = None
        self._connecting = asyncio.Lock()

    async def listen(self, heard: Callable[[], None]) -> None:
        """Have `heard` called from now on. To be asked again now and then: the connection may have broken since.

        Without a database nothing is heard, and that is all.
        """
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed():
                return
            with suppress(*TROUBLE):
                connection = await asyncpg.connect(self._dsn, timeout=5)
                self._connection = connection
                await connection.add_listener(self._channel, lambda *_: heard())

    async def close(self) -> None:
        if self._connection is not None:
            with suppress(*TROUBLE):
                await self._connection.close(timeout=5)
