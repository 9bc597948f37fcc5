from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Self, TypeVar

from adapters.memory.database import MemoryDatabase, Operation
from adapters.memory.tables import Tables
from core.ports.transaction import Transaction

Result = TypeVar("Result")


class MemoryTransaction(Transaction):
    """Writes go to an overlay of the block's own, and once more, all together, to the committed rows at its end.

    So the block reads what it wrote, nobody else does, and what counts is judged by what is committed at the end.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database
        self._block: _Block | None = None

    @property
    def tables(self) -> Tables:
        """The committed rows as they are now, with the open block's own changes."""
        return self._open.tables

    async def lock(self, *row: Hashable) -> None:
        """Wait until no other transaction holds the row, and hold it until the block ends."""
        block = self._open
        if row not in block.locked:
            await self.database.locks.acquire(row)
            block.locked.append(row)

    def write(self, operation: Callable[[Tables], Result]) -> Result:
        """Do it now, for this block to see, and again at the commit. A block with a refused write cannot commit."""
        block = self._open
        try:
            result = operation(block.tables)
        except Exception as error:
            block.refusal = block.refusal or error
            raise
        block.operations.append(operation)
        return result

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._open.callbacks.append(callback)

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError("this transaction has an open block already")
        self._block = _Block(self.database.tables.overlaid())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = self._open
        self._block = None
        try:
            if error is not None:
                return
            if block.refusal is not None:
                raise block.refusal
            self.database.apply(block.operations)
        finally:
            for row in block.locked:
                self.database.locks.release(row)
        for callback in block.callbacks:
            callback()

    @property
    def _open(self) -> "_Block":
        if self._block is None:
            raise RuntimeError("no transaction is open: use `async with transaction:`")
        return self._block


class _Block:
    __slots__ = ("callbacks", "locked", "operations", "refusal", "tables")

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.operations: list[Operation] = []
        self.locked: list[Hashable] = []
        self.callbacks: list[Callable[[], None]] = []
        self.refusal: Exception | None = None
