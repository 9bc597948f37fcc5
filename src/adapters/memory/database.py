from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from adapters.memory.locks import RowLocks
from adapters.memory.tables import Tables
from adapters.subscriptions import Subscriptions
from core.ports.database import Database, DatabaseUnavailable
from core.ports.transaction import OutcomeUnknown

Operation = Callable[[Tables], object]
"""A write: checks the given tables and changes them, or raises a refusal."""


class Reads(Protocol):
    """The rows that readers see: the committed ones, or those of a unit of work."""

    @property
    def tables(self) -> Tables: ...


class MemoryDatabase(Database, Reads):
    """State shared by the in-memory adapters of a process."""

    def __init__(self) -> None:
        self.committed = Tables()
        """Committed rows."""
        self.locks = RowLocks()
        self.claimed: set[str] = set()
        """Queues that a relay has claimed."""
        self.changes = Subscriptions()
        self._given: Counter[str] = Counter()

    @property
    def tables(self) -> Tables:
        return self.committed

    async def reachable(self) -> bool:
        return True

    def next(self, sequence: str) -> int:
        """The next number of a sequence, from 1."""
        self._given[sequence] += 1
        return self._given[sequence]

    def judge(self, operations: Iterable[Operation]) -> Tables:
        """Run operations on an overlay of the committed rows; raises what an operation raises."""
        tables = self.committed.overlaid()
        for operation in operations:
            operation(tables)
        return tables

    def apply(self, operations: Iterable[Operation]) -> None:
        """Run and commit operations atomically."""
        self.judge(operations).settle()


class Block:
    """The writes and locks of an open transaction block."""

    __slots__ = ("callbacks", "locked", "operations", "refusal", "tables")

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.operations: list[Operation] = []
        self.locked: list[Hashable] = []
        self.callbacks: list[Callable[[], None]] = []
        self.refusal: Exception | None = None

    def release(self, database: MemoryDatabase) -> None:
        """Release its row locks."""
        for row in self.locked:
            database.locks.release(row)
        self.locked.clear()


@dataclass(slots=True)
class Deferral:
    """Blocks of a unit of work that are committed together after the last one."""

    prepare: Callable[[Block], Awaitable[None]]
    """Runs before the first lock or write takes effect; idempotent."""
    block: Block | None = None
    """The changes of the blocks so far, while none is open."""

    def take(self) -> Block | None:
        block, self.block = self.block, None
        return block


@dataclass(slots=True)
class UnitOfWork(Reads):
    """The database access of one request, command or maintenance pass. Its readers and transaction are made from it."""

    database: MemoryDatabase
    committed: bool = field(default=False, init=False)
    """Whether a block has committed changes."""
    deferral: Deferral | None = field(default=None, init=False)

    @property
    def tables(self) -> Tables:
        """The committed rows and, while commits are deferred, the changes of the blocks."""
        block = self.deferral.block if self.deferral else None
        try:
            return block.tables if block else self.database.tables
        except DatabaseUnavailable as error:
            if self.committed:
                raise OutcomeUnknown from error
            raise
