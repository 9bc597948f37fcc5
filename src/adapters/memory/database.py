from collections import Counter
from collections.abc import Callable, Iterable

from adapters.memory.locks import RowLocks
from adapters.memory.tables import Tables
from core.ports.database import Database

Operation = Callable[[Tables], object]
"""A write: it judges the tables it is given and changes them, or raises a refusal."""


class MemoryDatabase(Database):
    """What the memory adapters of one process share."""

    def __init__(self) -> None:
        self.tables = Tables()
        """Committed rows."""
        self.locks = RowLocks()
        self.claimed: set[int] = set()
        """Keys of the outbox's tasks that a relay is publishing."""
        self._given: Counter[str] = Counter()

    async def reachable(self) -> bool:
        return True

    def next(self, sequence: str) -> int:
        """A number that this sequence has not given before, from 1 on."""
        self._given[sequence] += 1
        return self._given[sequence]

    def apply(self, operations: Iterable[Operation]) -> None:
        """Do all of it or, when one of them raises, nothing; nobody sees anything in between."""
        tables = self.tables.overlaid()
        for operation in operations:
            operation(tables)
        tables.settle()
