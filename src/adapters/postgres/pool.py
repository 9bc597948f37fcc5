import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from core.ports.database import Database, DatabaseUnavailable

Record = Mapping[str, Any]

_LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)
"""Broken, or silent for so long that it counts as broken."""
_UNREACHABLE = (*_LOST, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)

PATIENCE = 30.0
"""Seconds that a statement may take, waiting for locks included."""

SETTINGS = {
    "application_name": "style-license",
    "timezone": "UTC",
    "jit": "off",  # compiling takes longer than any statement here
    "idle_in_transaction_session_timeout": "60s",  # a frozen process must not hold locks for ever
}


@asynccontextmanager
async def create_pool(dsn: str, *, max_size: int = 10) -> "AsyncIterator[Pool]":
    """Connections to the database of a plain `postgresql://` URL, Unix sockets (`?host=/directory`) included."""
    async with asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        init=_set_codecs,
        reset=_leave_as_is,
        command_timeout=PATIENCE,
        max_cached_statement_lifetime=0,
        server_settings=SETTINGS,
    ) as pool:
        yield Pool(pool)


async def _set_codecs(connection: "asyncpg.Connection[Any]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),  # the format's version, then the text
        decoder=lambda data: msgspec.json.decode(memoryview(data)[1:]),
    )


async def _leave_as_is(connection: "asyncpg.Connection[Any]") -> None:
    """Whoever used the connection has left it clean; asyncpg's own reset would cost a round trip each time."""


class ConnectionLost(DatabaseUnavailable):
    """It broke under a statement, which was done or was not."""


class Pool(Database):
    """Connections, and how often something was sent over one. What cannot be sent raises DatabaseUnavailable."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self.round_trips = 0
        self._pool = pool
        # Who keeps a connection may need a statement on another one before giving it back (new ids, say). It always
        # gets one: the last is never kept.
        self._to_keep = asyncio.Semaphore(max(1, pool.get_max_size() - 1))
        self._rollbacks: set[asyncio.Task[None]] = set()

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        """A statement that is a transaction of its own."""
        connection = await self._acquire()
        try:
            return await self.ask(connection, sql, *args)
        finally:
            await self._pool.release(connection)

    async def fetchrow(self, sql: str, *args: object) -> Record | None:
        """The first row of a statement that is a transaction of its own."""
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def begin(self) -> "Begun":
        """Begin a transaction of several statements."""
        await self._to_keep.acquire()
        try:
            begun = Begun(self, await self._acquire())
        except BaseException:
            self._to_keep.release()
            raise
        try:
            await begun.fetch("BEGIN")
        except BaseException:
            await begun.rollback()
            raise
        return begun

    async def reachable(self) -> bool:
        try:
            async with asyncio.timeout(2):
                await self.fetch("SELECT 1")
        except (DatabaseUnavailable, TimeoutError):
            return False
        return True

    async def ask(self, connection: "asyncpg.Connection[Any]", sql: str, *args: object) -> list[Record]:
        self.round_trips += 1
        try:
            rows: list[Record] = await connection.fetch(sql, *args)
        except _LOST as error:
            raise ConnectionLost from error
        return rows

    async def give_back(self, connection: "asyncpg.Connection[Any]") -> None:
        self._to_keep.release()
        await self._pool.release(connection)

    async def roll_back(self, connection: "asyncpg.Connection[Any]") -> None:
        """Leave the connection clean or closed, also when cancelled, and give it back."""
        task = asyncio.create_task(self._roll_back(connection))
        self._rollbacks.add(task)
        task.add_done_callback(self._rollbacks.discard)
        await asyncio.shield(task)

    async def _acquire(self) -> "asyncpg.Connection[Any]":
        try:
            return await self._pool.acquire()
        except _UNREACHABLE as error:
            raise DatabaseUnavailable from error

    async def _roll_back(self, connection: "asyncpg.Connection[Any]") -> None:
        try:
            async with asyncio.timeout(5):
                await self.ask(connection, "ROLLBACK")
        except (ConnectionLost, TimeoutError, asyncpg.InterfaceError):
            connection.terminate()
        finally:
            await self.give_back(connection)


class Begun:
    """A connection with an open transaction; `commit` or `rollback`, one of them and once, gives it back."""

    def __init__(self, pool: Pool, connection: "asyncpg.Connection[Any]") -> None:
        self._pool = pool
        self._connection = connection

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        return await self._pool.ask(self._connection, sql, *args)

    async def commit(self) -> None:
        """Raises what a deferred constraint refuses, or ConnectionLost: then nobody knows whether it was committed."""
        try:
            await self.fetch("COMMIT")
        except BaseException:
            await self.rollback()
            raise
        await self._pool.give_back(self._connection)

    async def rollback(self) -> None:
        await self._pool.roll_back(self._connection)
