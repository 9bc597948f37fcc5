import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg
import msgspec

from adapters.postgres.connections import (
    IS_READ_ONLY,
    ConnectionLost,
    ServerUnusable,
    SessionUnusable,
    connect,
    unavailability,
)
from adapters.postgres.telling import Teller
from core.ports.database import Database, DatabaseUnavailable, DatabaseUsage

Record = Mapping[str, Any]

PATIENCE = 30
"""Seconds that a statement may take, waiting for locks included."""
SILENCE = PATIENCE + 10.0
"""Seconds without an answer after which the database counts as gone."""
CONNECTS_WITHIN = 10.0
"""Seconds that a server may take to let a connection in."""
GRACE = 5.0
"""Seconds that tidying up may take."""
TRUSTED = 300.0
"""Seconds for which an unused connection is taken to be there still: networks forget them silently."""

SETTINGS = {
    "application_name": "style-license",
    "timezone": "UTC",
    "jit": "off",  # compiling takes longer than any statement here
    "random_page_cost": "1.1",  # data is in memory or on flash; the default is for turning disks
    "statement_timeout": f"{PATIENCE}s",
    "client_connection_check_interval": "5s",  # a statement ends when the process that waits for it is gone
    "idle_in_transaction_session_timeout": "60s",  # a frozen process must not hold locks for ever
}


class Reads(Protocol):
    """Where readers send their statements: a pool, or a unit of work."""

    async def fetch(self, sql: str, *args: object) -> list[Record]: ...

    async def fetchrow(self, sql: str, *args: object) -> Record | None:
        """The first row of what `fetch` returns."""
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None


@asynccontextmanager
async def create_pool(dsn: str, *, max_size: int = 10) -> "AsyncIterator[Pool]":
    """Connections to the database of a plain `postgresql://` URL, Unix sockets (`?host=/directory`) included."""
    pool = Pool(dsn, max_size)
    try:
        yield pool
    finally:
        await pool.close()


class Pool(Database, Reads):
    """Connections, and how often something was sent over one. What cannot be sent raises DatabaseUnavailable.

    asyncpg's own pool shields, resets and sets timers around each use, which takes as long as half a query. This one
    hands a connection on as it was left, and only after an interruption puts it in order first, or closes it. When a
    statement shows that the server is gone or cannot be written to, no connection that was made before is used again.
    """

    def __init__(self, dsn: str, max_size: int) -> None:
        self.round_trips = 0
        self.teller = Teller(self.fetch)
        self.dsn = dsn
        self._max_size = max_size
        self._places = asyncio.Semaphore(max_size)
        # Who keeps a connection may need a statement on another one before giving it back (new ids, say). It always
        # gets one: the last place is never kept.
        self.keepable = asyncio.Semaphore(max(1, max_size - 1))
        self._used: set[asyncpg.Connection[Any]] = set()
        self._unused: list[tuple[asyncpg.Connection[Any], float]] = []
        self._usable: set[asyncpg.Connection[Any]] = set()
        """Those used and unused that may be used again."""
        self._repairs: set[asyncio.Task[None]] = set()

    async def fetch(self, sql: str, *args: object, usage: DatabaseUsage | None = None) -> list[Record]:
        """Run one statement as a transaction of its own."""
        connection = await self.take()
        try:
            rows = await self.ask(connection, sql, *args, usage=usage)
        except asyncpg.PostgresError:
            self.put_back(connection)
            raise
        except BaseException:
            await self.put_in_order(connection)
            raise
        self.put_back(connection)
        return rows

    async def begin(self, *, usage: DatabaseUsage | None = None) -> "OpenTransaction":
        """Begin a transaction of several statements."""
        await self.keepable.acquire()
        try:
            connection = await self.take()
        except BaseException:
            self.keepable.release()
            raise
        transaction = OpenTransaction(self, connection, usage)
        try:
            await transaction.fetch("BEGIN")
        except BaseException:
            await transaction.rollback()
            raise
        return transaction

    @asynccontextmanager
    async def apart(self) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """A connection beside those of the pool, for as long as what takes long takes."""
        connection = await _connect(self.dsn)
        try:
            yield connection
        except Exception as error:
            if unavailable := unavailability(error):
                raise unavailable from error
            raise
        finally:
            connection.terminate() if connection.is_closed() else await connection.close(timeout=5)

    async def reachable(self) -> bool:
        try:
            async with asyncio.timeout(2):
                [row] = await self.fetch(IS_READ_ONLY)
        except (DatabaseUnavailable, TimeoutError):
            return False
        if row["read_only"]:
            self._leave_server()
            return False
        return True

    async def close(self) -> None:
        """Close the connections; what is under way, or to be told, has some seconds to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self.teller.told()
                for _ in range(self._max_size):
                    await self._places.acquire()
        for connection in self._used:
            connection.terminate()
        for connection, _ in self._unused:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await connection.close(timeout=GRACE)

    async def take(self) -> "asyncpg.Connection[Any]":
        await self._places.acquire()
        try:
            connection = self._found_unused() or await _connect(self.dsn)
        except BaseException:
            self._places.release()
            raise
        self._used.add(connection)
        self._usable.add(connection)
        return connection

    def put_back(self, connection: "asyncpg.Connection[Any]") -> None:
        self._used.discard(connection)
        if connection in self._usable and not connection.is_closed():
            self._unused.append((connection, time.monotonic()))
        else:
            self._end(connection)
        self._places.release()

    def _found_unused(self) -> "asyncpg.Connection[Any] | None":
        while self._unused:
            connection, since = self._unused.pop()
            if not connection.is_closed() and time.monotonic() - since < TRUSTED:
                return connection
            self._end(connection)
        return None

    def _end(self, connection: "asyncpg.Connection[Any]") -> None:
        self._usable.discard(connection)
        connection.terminate()

    def _leave_server(self) -> None:
        """Use none of the present connections again; those in use are closed when they are put back."""
        self._usable.clear()
        while self._unused:
            self._end(self._unused.pop()[0])

    async def put_in_order(self, connection: "asyncpg.Connection[Any]") -> None:
        """Whatever was going on, and also for who is cancelled: leave the connection as new, or closed."""
        task = asyncio.create_task(self._roll_back(connection))
        self._repairs.add(task)
        task.add_done_callback(self._repairs.discard)
        await asyncio.shield(task)

    async def _roll_back(self, connection: "asyncpg.Connection[Any]") -> None:
        try:
            async with asyncio.timeout(GRACE):
                await self.ask(connection, "ROLLBACK")
        except (DatabaseUnavailable, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()
        self.put_back(connection)

    async def ask(
        self, connection: "asyncpg.Connection[Any]", sql: str, *args: object, usage: DatabaseUsage | None = None
    ) -> list[Record]:
        if connection.is_closed():
            raise DatabaseUnavailable
        self.round_trips += 1
        silence = asyncio.get_running_loop().call_later(SILENCE, connection.terminate)
        began = time.perf_counter()
        try:
            rows: list[Record] = await connection.fetch(sql, *args)
        except Exception as error:
            unavailable = unavailability(error)
            if unavailable is None:
                raise
            if isinstance(unavailable, SessionUnusable):
                self._usable.discard(connection)
            elif isinstance(unavailable, ServerUnusable | ConnectionLost):
                self._leave_server()
            raise unavailable from error
        finally:
            silence.cancel()
            if usage is not None:
                usage.seconds += time.perf_counter() - began
                usage.statements += 1
        return rows


class OpenTransaction:
    """A connection with an open transaction; `commit` or `rollback`, one of them and once, releases it."""

    def __init__(self, pool: Pool, connection: "asyncpg.Connection[Any]", usage: DatabaseUsage | None) -> None:
        self._pool = pool
        self._connection = connection
        self._usage = usage

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        return await self._pool.ask(self._connection, sql, *args, usage=self._usage)

    async def commit(self) -> None:
        """Raises what a deferred constraint refuses, or ConnectionLost: then nobody knows whether it was committed."""
        try:
            await self.fetch("COMMIT")
        except BaseException:
            await self.rollback()
            raise
        self._pool.put_back(self._connection)
        self._pool.keepable.release()

    async def rollback(self) -> None:
        try:
            await self._pool.put_in_order(self._connection)
        finally:
            self._pool.keepable.release()


async def _connect(dsn: str) -> "asyncpg.Connection[Any]":
    connection = await connect(
        dsn,
        within=CONNECTS_WITHIN,
        server_settings=SETTINGS,
        statement_cache_size=200,
        max_cached_statement_lifetime=0,
    )
    try:
        async with asyncio.timeout(CONNECTS_WITHIN):
            await connection.set_type_codec(
                "jsonb",
                schema="pg_catalog",
                format="binary",
                encoder=lambda value: b"\x01" + msgspec.json.encode(value),  # the format's version, then the text
                decoder=lambda data: msgspec.json.decode(memoryview(data)[1:]),
            )
    except BaseException as error:
        connection.terminate()
        if unavailability(error):
            raise DatabaseUnavailable from error
        raise
    return connection
