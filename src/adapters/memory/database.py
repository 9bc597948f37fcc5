from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from adapters.memory.locks import RowLocks
from adapters.memory.tables import Tables
from adapters.subscriptions import Subscriptions
from core.ports.database import Database

Operation = Callable[[Tables], object]
"""A write: it judges the tables it is given and changes them, or raises a refusal."""


class MemoryDatabase(Database):
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
        """Committed rows, and for a task whose blocks are committed together also what they have changed."""
        together = TOGETHER.get()
        return together.block.tables if together and together.block else self.committed

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
class Together:
    """The blocks of one task that are committed together, after the last of them."""

    prepare: Callable[[Block], Awaitable[None]]
    """What comes before the first lock or write counts; more than once does no harm."""
    block: Block | None = None
    """What they have done, while none of them is open."""

    def take(self) -> Block | None:
        block, self.block = self.block, None
        return block


TOGETHER: ContextVar[Together | None] = ContextVar("together", default=None)
