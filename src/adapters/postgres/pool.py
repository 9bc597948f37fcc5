import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg
import msgspec

from adapters.postgres.batching import MAX_BATCH
from adapters.postgres.connections import (
    IS_READ_ONLY,
    ConnectionLost,
    ServerUnusable,
    SessionUnusable,
    connect,
    unavailability,
)
from adapters.postgres.notify import ChannelNotifier
from adapters.postgres.shared import SharedTransactions
from adapters.postgres.statements import BatchedStatement, BatchedStatements
from adapters.postgres.writes import BatchedWrites
from core.ports.database import Database, DatabaseUnavailable, DatabaseUsage

Record = Mapping[str, Any]

STATEMENT_TIMEOUT = 30
"""Seconds per statement, including waiting for locks."""
RESPONSE_TIMEOUT = STATEMENT_TIMEOUT + 10.0
"""Seconds without an answer after which a connection counts as lost."""
CONNECT_TIMEOUT = 10.0
"""Seconds to connect."""
SHUTDOWN_TIMEOUT = 5.0
"""Seconds to reset or close a connection."""
IDLE_LIMIT = 300.0
"""Seconds after which an idle connection is not reused: networks drop them silently."""

SETTINGS = {
    "application_name": "style-license",
    "timezone": "UTC",
    "jit": "off",  # compiling takes longer than any statement here
    "random_page_cost": "1.1",  # data is in memory or on flash; the default is for spinning disks
    "statement_timeout": f"{STATEMENT_TIMEOUT}s",
    "client_connection_check_interval": "5s",  # a statement ends when its client process is dead
    "idle_in_transaction_session_timeout": "60s",  # a frozen process must not hold locks forever
}


class Reads(Protocol):
    """Where readers send their statements: a pool or a unit of work."""

    async def fetch(self, sql: str, *args: object) -> list[Record]: ...

    async def fetchrow(self, sql: str, *args: object) -> Record | None:
        """The first row of `fetch`, or None."""
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def rows(self, statement: BatchedStatement, *values: object) -> list[Record]:
        """The rows that a statement answers this call with. May be sent together with other calls."""
        ...

    async def row(self, statement: BatchedStatement, *values: object) -> Record | None:
        """The first row of `rows`, or None."""
        rows = await self.rows(statement, *values)
        return rows[0] if rows else None


@asynccontextmanager
async def create_pool(dsn: str, *, max_size: int = 10, max_batch: int = MAX_BATCH) -> "AsyncIterator[Pool]":
    """Connections to the database of a plain `postgresql://` URL, Unix sockets (`?host=/directory`) included.

    Up to `max_batch` calls that wait at the same time are sent together.
    """
    pool = Pool(dsn, max_size, max_batch=max_batch)
    try:
        yield pool
    finally:
        await pool.close()


class Pool(Database, Reads):
    """Connections to one database. A statement that cannot be sent raises DatabaseUnavailable.

    asyncpg's own pool shields, resets and sets timers around each checkout, which takes as long as half a query. This
    one resets or closes a connection only after an interruption. When a statement shows that the server is lost or not
    writable, no existing connection is used again.
    """

    def __init__(self, dsn: str, max_size: int, *, max_batch: int = MAX_BATCH) -> None:
        self.round_trips = 0
        self.notifier = ChannelNotifier(self.fetch)
        self.max_batch = max_batch
        self.statements = BatchedStatements(self.fetch, max_batch=max_batch)
        self.writes = BatchedWrites(self.fetch, max_batch=max_batch)
        self.shared = SharedTransactions(self.begin, max_batch=max_batch)
        self.dsn = dsn
        self._max_size = max_size
        self._slots = asyncio.Semaphore(max_size)
        # A transaction may need another connection before it ends (for new ids, say). The last slot is reserved for
        # that, so transactions cannot deadlock on the pool.
        self.transactions = asyncio.Semaphore(max(1, max_size - 1))
        self._in_use: set[asyncpg.Connection[Any]] = set()
        self._idle: list[tuple[asyncpg.Connection[Any], float]] = []
        self._usable: set[asyncpg.Connection[Any]] = set()
        """Connections that may be checked out again."""
        self._resets: set[asyncio.Task[None]] = set()

    async def fetch(self, sql: str, *args: object, usage: DatabaseUsage | None = None) -> list[Record]:
        """Run one statement as a transaction of its own."""
        connection = await self.checkout()
        try:
            rows = await self.execute(connection, sql, *args, usage=usage)
        except asyncpg.PostgresError:
            self.release(connection)
            raise
        except BaseException:
            await self.reset(connection)
            raise
        self.release(connection)
        return rows

    async def rows(self, statement: BatchedStatement, *values: object) -> list[Record]:
        return await self.statements(statement, *values)

    async def begin(self, *, usage: DatabaseUsage | None = None) -> "OpenTransaction":
        """Begin a transaction of several statements."""
        await self.transactions.acquire()
        try:
            connection = await self.checkout()
        except BaseException:
            self.transactions.release()
            raise
        transaction = OpenTransaction(self, connection, usage)
        try:
            await transaction.fetch("BEGIN")
        except BaseException:
            await transaction.rollback()
            raise
        return transaction

    @asynccontextmanager
    async def dedicated(self) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """A connection outside the pool, for work that takes long."""
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
            self._abandon_server()
            return False
        return True

    async def close(self) -> None:
        """Close the connections; running statements have SHUTDOWN_TIMEOUT to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_TIMEOUT):
                await self.notifier.wait_until_sent()
                for _ in range(self._max_size):
                    await self._slots.acquire()
        for connection in self._in_use:
            connection.terminate()
        for connection, _ in self._idle:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await connection.close(timeout=SHUTDOWN_TIMEOUT)

    async def checkout(self) -> "asyncpg.Connection[Any]":
        await self._slots.acquire()
        try:
            connection = self._idle_connection() or await _connect(self.dsn)
        except BaseException:
            self._slots.release()
            raise
        self._in_use.add(connection)
        self._usable.add(connection)
        return connection

    def release(self, connection: "asyncpg.Connection[Any]") -> None:
        self._in_use.discard(connection)
        if connection in self._usable and not connection.is_closed():
            self._idle.append((connection, time.monotonic()))
        else:
            self._end(connection)
        self._slots.release()

    def _idle_connection(self) -> "asyncpg.Connection[Any] | None":
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.is_closed() and time.monotonic() - since < IDLE_LIMIT:
                return connection
            self._end(connection)
        return None

    def _end(self, connection: "asyncpg.Connection[Any]") -> None:
        self._usable.discard(connection)
        connection.terminate()

    def _abandon_server(self) -> None:
        """Use none of the present connections again; those in use are closed when released."""
        self._usable.clear()
        while self._idle:
            self._end(self._idle.pop()[0])

    async def reset(self, connection: "asyncpg.Connection[Any]") -> None:
        """Roll back any open transaction, or close the connection, also when the caller is cancelled."""
        task = asyncio.create_task(self._roll_back(connection))
        self._resets.add(task)
        task.add_done_callback(self._resets.discard)
        await asyncio.shield(task)

    async def _roll_back(self, connection: "asyncpg.Connection[Any]") -> None:
        try:
            async with asyncio.timeout(SHUTDOWN_TIMEOUT):
                await self.execute(connection, "ROLLBACK")
        except (DatabaseUnavailable, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()
        self.release(connection)

    async def execute(
        self, connection: "asyncpg.Connection[Any]", sql: str, *args: object, usage: DatabaseUsage | None = None
    ) -> list[Record]:
        if connection.is_closed():
            raise DatabaseUnavailable
        self.round_trips += 1
        timeout = asyncio.get_running_loop().call_later(RESPONSE_TIMEOUT, connection.terminate)
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
                self._abandon_server()
            raise unavailable from error
        finally:
            timeout.cancel()
            if usage is not None:
                usage.seconds += time.perf_counter() - began
                usage.statements += 1
        return rows


class OpenTransaction:
    """A connection with an open transaction; exactly one call of `commit` or `rollback` releases it."""

    def __init__(self, pool: Pool, connection: "asyncpg.Connection[Any]", usage: DatabaseUsage | None) -> None:
        self._pool = pool
        self._connection = connection
        self._usage = usage

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        return await self._pool.execute(self._connection, sql, *args, usage=self._usage)

    async def commit(self) -> None:
        """Raises the errors of deferred constraints, or ConnectionLost if the outcome is unknown."""
        try:
            await self.fetch("COMMIT")
        except BaseException:
            await self.rollback()
            raise
        self._pool.release(self._connection)
        self._pool.transactions.release()

    async def rollback(self) -> None:
        try:
            await self._pool.reset(self._connection)
        finally:
            self._pool.transactions.release()


async def _connect(dsn: str) -> "asyncpg.Connection[Any]":
    connection = await connect(
        dsn,
        within=CONNECT_TIMEOUT,
        server_settings=SETTINGS,
        statement_cache_size=200,
        max_cached_statement_lifetime=0,
    )
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
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
