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
"""A write: it judges the tables it is given and changes them, or raises a refusal."""


class Reads(Protocol):
    """Where readers look: the committed rows, or those of a unit of work."""

    @property
    def tables(self) -> Tables: ...


class MemoryDatabase(Database, Reads):
    """What the memory adapters of one process share."""

    def __init__(self) -> None:
        self.committed = Tables()
        """What everybody sees."""
        self.locks = RowLocks()
        self.claimed: set[str] = set()
        """Queues that a relay is at."""
        self.changes = Subscriptions()
        self._given: Counter[str] = Counter()

    @property
    def tables(self) -> Tables:
        return self.committed

    async def reachable(self) -> bool:
        return True

    def next(self, sequence: str) -> int:
        """A number that this sequence has not given before, from 1 on."""
        self._given[sequence] += 1
        return self._given[sequence]

    def judge(self, operations: Iterable[Operation]) -> Tables:
        """The committed rows with all of it done above them; raises what one of the operations raises."""
        tables = self.committed.overlaid()
        for operation in operations:
            operation(tables)
        return tables

    def apply(self, operations: Iterable[Operation]) -> None:
        """Do all of it or, when one of them raises, nothing; nobody sees anything in between."""
        self.judge(operations).settle()


class Block:
    """What a block of a transaction has done and holds."""

    __slots__ = ("callbacks", "locked", "operations", "refusal", "tables")

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.operations: list[Operation] = []
        self.locked: list[Hashable] = []
        self.callbacks: list[Callable[[], None]] = []
        self.refusal: Exception | None = None

    def release(self, database: MemoryDatabase) -> None:
        """Let go of the rows that it has locked."""
        for row in self.locked:
            database.locks.release(row)
        self.locked.clear()


@dataclass(slots=True)
class Deferral:
    """The blocks of a unit of work that are committed together, after the last of them."""

    prepare: Callable[[Block], Awaitable[None]]
    """Runs before the first lock or write counts; running it again does no harm."""
    block: Block | None = None
    """What the blocks have done, while none of them is open."""

    def take(self) -> Block | None:
        block, self.block = self.block, None
        return block


@dataclass(slots=True)
class UnitOfWork(Reads):
    """What one request, command or pass asks of the database. Its readers and its transaction are made from it."""

    database: MemoryDatabase
    committed: bool = field(default=False, init=False)
    """Whether a block has committed changes."""
    deferral: Deferral | None = field(default=None, init=False)

    @property
    def tables(self) -> Tables:
        """The committed rows and, while commits are deferred, what the blocks have changed."""
        block = self.deferral.block if self.deferral else None
        try:
            return block.tables if block else self.database.tables
        except DatabaseUnavailable as error:
            if self.committed:
                raise OutcomeUnknown from error
            raise
