import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from adapters.postgres.pool import OpenTransaction, Pool, Reads, Record
from adapters.postgres.shared import Share
from adapters.postgres.statements import BatchedStatement
from adapters.postgres.writes import Rows, Write
from core.ports.database import DatabaseUnavailable, DatabaseUsage
from core.ports.transaction import OutcomeUnknown


@dataclass(slots=True)
class Deferral:
    """Blocks of a unit of work that are committed together after the last one."""

    prepare: Callable[[OpenTransaction], Awaitable[None]]
    """Runs first in their transaction."""
    transaction: OpenTransaction | None = None
    """Their transaction, while no block is open."""
    callbacks: list[Callable[[], None]] = field(default_factory=list)
    """Run after the commit."""


class Measured:
    """A block that waits for the database; it counts a share of a batch as one statement. A generator would take twice
    the time.
    """

    __slots__ = ("_began", "_usage")

    def __init__(self, usage: DatabaseUsage) -> None:
        self._usage = usage

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._usage.seconds += time.perf_counter() - self._began
        self._usage.statements += 1


class UnitOfWork(Reads):
    """The database access of one request, command or maintenance pass. Its readers and transaction are made from it.

    Reads use any connection of the pool; while commits are deferred and no block is open they use the deferred
    transaction, so that they see the writes of its blocks.
    """

    def __init__(self, pool: Pool, usage: DatabaseUsage) -> None:
        self.pool = pool
        self.usage = usage
        self.committed = False
        """Whether a block has committed changes."""
        self.deferral: Deferral | None = None

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        transaction = self.deferral.transaction if self.deferral else None
        try:
            if transaction is not None:
                return await transaction.fetch(sql, *args)
            return await self.pool.fetch(sql, *args, usage=self.usage)
        except DatabaseUnavailable as error:
            self.check_nothing_committed(error)
            raise

    async def rows(self, statement: BatchedStatement, *values: object) -> list[Record]:
        transaction = self.deferral.transaction if self.deferral else None
        try:
            if transaction is not None:
                return await transaction.fetch(statement.sql, *([value] for value in values))
            with Measured(self.usage):
                return await self.pool.statements(statement, *values)
        except DatabaseUnavailable as error:
            self.check_nothing_committed(error)
            raise

    async def write(self, writes: tuple[Write, ...], rows: Rows) -> None:
        """Run writes as a transaction of their own, batched with concurrent ones. All must be `batched`."""
        with Measured(self.usage):
            await self.pool.writes(writes, rows)

    async def join(self, lock: BatchedStatement, *values: object) -> tuple[Share, Record | None]:
        """Lock a row, in a transaction that concurrent blocks share."""
        with Measured(self.usage):
            return await self.pool.shared.join(lock, *values)

    async def commit(self, share: Share, writes: tuple[Write, ...], rows: Rows) -> None:
        """Commit a share of that transaction."""
        with Measured(self.usage):
            await share.commit(writes, rows)

    async def begin(self) -> OpenTransaction:
        """Begin a transaction of several statements."""
        try:
            return await self.pool.begin(usage=self.usage)
        except DatabaseUnavailable as error:
            self.check_nothing_committed(error)
            raise

    def check_nothing_committed(self, error: DatabaseUnavailable) -> None:
        """Raises OutcomeUnknown from the error if a block has committed already."""
        if self.committed:
            raise OutcomeUnknown from error
