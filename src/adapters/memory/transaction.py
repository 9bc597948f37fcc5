from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Self, TypeVar

from adapters.memory.database import TOGETHER, Block, MemoryDatabase, Together
from adapters.memory.tables import Tables
from core.ports.changes import Topic
from core.ports.database import spent
from core.ports.transaction import Transaction

Result = TypeVar("Result")


class MemoryTransaction(Transaction):
    """Writes go to an overlay of the block's own, and once more, all together, to the committed rows at its end.

    So the block reads what it wrote, nobody else does, and what counts is judged by what is committed at the end.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database
        self._block: Block | None = None

    @property
    def tables(self) -> Tables:
        """The committed rows as they are now, with the open block's own changes."""
        return self._open.tables

    async def lock(self, *row: Hashable) -> None:
        """Wait until no other transaction holds the row, and hold it until the block ends."""
        block = self._open
        if together := TOGETHER.get():
            await together.prepare(block)
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

    def tell_of(self, topic: Topic) -> None:
        """Have whoever watches told, once this is committed."""
        self.after_commit(lambda: self.database.changes.tell(topic))

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError("this transaction has an open block already")
        together = TOGETHER.get()
        self._block = (together and together.take()) or Block(self.database.tables.overlaid())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = self._open
        self._block = None
        together = TOGETHER.get()
        handed_over = False
        try:
            if error is not None:
                return
            if block.refusal is not None:
                raise block.refusal
            if together is not None:
                await self._hand_over(block, together)
                handed_over = True
                return
            self.database.apply(block.operations)
            if block.operations and (asked := spent.get()) is not None:
                asked.commits += 1
        finally:
            if not handed_over:
                block.release(self.database)
        for callback in block.callbacks:
            callback()

    async def _hand_over(self, block: Block, together: Together) -> None:
        """Leave the commit for later; what it would refuse is refused now, while the use case can still tidy up."""
        if block.operations:
            await together.prepare(block)
        self.database.judge(block.operations)
        together.block = block

    @property
    def _open(self) -> Block:
        if self._block is None:
            raise RuntimeError("no transaction is open: use `async with transaction:`")
        return self._block
