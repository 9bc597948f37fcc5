from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Self, TypeVar

from adapters.memory.database import Block, Deferral, MemoryDatabase, UnitOfWork
from adapters.memory.tables import Tables
from core.ports.changes import Topic
from core.ports.transaction import Transaction

Result = TypeVar("Result")


class MemoryTransaction(Transaction):
    """Writes go to an overlay of the block, and all together to the committed rows at its end.

    Only the block itself reads its writes; refusals are decided against the committed rows at the end.
    """

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._block: Block | None = None

    @property
    def database(self) -> MemoryDatabase:
        return self.unit.database

    @property
    def tables(self) -> Tables:
        """The committed rows with the open block's changes."""
        return self._open.tables

    async def lock(self, *row: Hashable) -> None:
        """Wait for the row's lock and hold it until the block ends."""
        block = self._open
        if deferral := self.unit.deferral:
            await deferral.prepare(block)
        if row not in block.locked:
            await self.database.locks.acquire(row)
            block.locked.append(row)

    def write(self, operation: Callable[[Tables], Result]) -> Result:
        """Run it on the overlay now, and again at the commit. A block with a refused write cannot commit."""
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

    def notify_after_commit(self, topic: Topic) -> None:
        """Notify watchers of the topic after the commit."""
        self.after_commit(lambda: self.database.changes.notify(topic))

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError("this transaction has an open block already")
        deferral = self.unit.deferral
        self._block = (deferral and deferral.take()) or Block(self.unit.tables.overlaid())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = self._open
        self._block = None
        deferral = self.unit.deferral
        deferred = False
        try:
            if error is not None:
                return
            if block.refusal is not None:
                raise block.refusal
            if deferral is not None:
                await self._defer(block, deferral)
                deferred = True
                return
            self.database.apply(block.operations)
            self.unit.committed |= bool(block.operations)
        finally:
            if not deferred:
                block.release(self.database)
        for callback in block.callbacks:
            callback()

    async def _defer(self, block: Block, deferral: Deferral) -> None:
        """Defer the commit; refusals are raised now, while the use case can still clean up."""
        if block.operations:
            await deferral.prepare(block)
        self.database.judge(block.operations)
        deferral.block = block

    @property
    def _open(self) -> Block:
        if self._block is None:
            raise RuntimeError("no transaction is open: use `async with transaction:`")
        return self._block
