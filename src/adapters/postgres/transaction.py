import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType, TracebackType
from typing import Self

import asyncpg

from adapters.postgres.changes import CHANNEL
from adapters.postgres.connections import ConnectionLost
from adapters.postgres.errors import REFUSALS
from adapters.postgres.pool import TOGETHER, Begun, Pool, Record, Together
from core.errors import DomainError
from core.ports.changes import Topic
from core.ports.database import spent
from core.ports.transaction import OutcomeUnknown, Transaction

Explain = Callable[[], Awaitable[DomainError]]
"""Makes the refusal of a broken constraint where its name alone does not tell enough."""

_ARGUMENT = re.compile(r"\$(\d+)")
_PLAIN: Mapping[str | None, Explain] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Write:
    """A change that can wait, in the form in which many go into one statement."""

    touches: str
    """What it changes. One statement has one snapshot: of two writes that touch the same, the first is sent first."""
    ctes: str
    """Common table expressions, `name AS (INSERT ...)`, with arguments `$1` and on; names are the write's own."""
    finds: str | None = None
    """The one of them that must have found a row."""
    rule: str | None = None
    """The key in REFUSALS of what it means when it has not."""


@dataclass(slots=True)
class _Held:
    write: Write
    args: tuple[object, ...]
    explain: Mapping[str | None, Explain]


@dataclass(slots=True)
class _Block:
    begun: Begun | None = None
    held: dict[str, _Held] = field(default_factory=dict)
    """By what they touch."""
    failure: Exception | None = None
    callbacks: list[Callable[[], None]] = field(default_factory=list)


class PostgresTransaction(Transaction):
    """Writes are held back and sent together, as one statement, at the end of the block or before a read.

    A block that has neither locked nor read after writing needs no BEGIN and no COMMIT: that one statement is its own
    transaction. READ COMMITTED: what must not change after it was read is read with a lock.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._block: _Block | None = None

    async def fetch(self, sql: str, *args: object, lock: bool = False) -> list[Record]:
        """Read. With `lock`, or after writing, from now on on one connection."""
        block = self._open
        if block.begun is None and (lock or block.held):
            await self._begin(block)
        if block.begun is None:
            return await self.pool.fetch(sql, *args)
        await self._send(block)
        return await self._ask(block, sql, *args)

    async def fetchrow(self, sql: str, *args: object, lock: bool = False) -> Record | None:
        rows = await self.fetch(sql, *args, lock=lock)
        return rows[0] if rows else None

    async def write(self, write: Write, *args: object, explain: Mapping[str | None, Explain] = _PLAIN) -> None:
        """Change, at the latest at the end of the block."""
        block = self._open
        if write.touches in block.held:
            await self._begin(block)
            await self._send(block)
        block.held[write.touches] = _Held(write, args, explain)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._open.callbacks.append(callback)

    def tell_of(self, topic: Topic) -> None:
        """Have whoever watches told, once this is committed."""
        self.after_commit(lambda: self.pool.teller.tell(CHANNEL, topic))

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError("this transaction has an open block already")
        self._block = _Block()
        if together := TOGETHER.get():
            self._block.begun, together.begun = together.begun, None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = self._open
        self._block = None
        failure = error or block.failure
        if failure is None:
            if together := TOGETHER.get():
                await self._hand_over(block, together)
                return
            changes = block.begun is not None or bool(block.held)
            await self._commit(block)
            if changes and (asked := spent.get()) is not None:
                asked.commits += 1
            for callback in block.callbacks:
                callback()
            return
        if block.begun is not None:
            await block.begun.rollback()
        if error is None:
            raise failure

    async def _commit(self, block: _Block) -> None:
        if block.begun is None:
            try:
                await self._send(block)
            except ConnectionLost as error:
                raise OutcomeUnknown from error
            return
        try:
            await self._send(block)
        except BaseException:
            await block.begun.rollback()
            raise
        try:
            await block.begun.commit()
        except ConnectionLost as error:
            raise OutcomeUnknown from error

    async def _begin(self, block: _Block) -> None:
        if block.begun is not None:
            return
        block.begun = await self.pool.begin()
        if together := TOGETHER.get():
            try:
                await together.prepare(block.begun)
            except Exception as error:
                block.failure = error
                raise

    async def _hand_over(self, block: _Block, together: Together) -> None:
        """Leave the commit for later; what it could refuse is refused now, while the use case can still tidy up."""
        try:
            if block.held:
                await self._begin(block)
                await self._send(block)
            if block.begun is not None:
                await self._ask(block, "SET CONSTRAINTS ALL IMMEDIATE")
        except BaseException:
            if block.begun is not None:
                await block.begun.rollback()
            raise
        together.begun = block.begun
        together.callbacks += block.callbacks

    async def _send(self, block: _Block) -> None:
        """Send all held writes as one statement."""
        if not block.held:
            return
        held = list(block.held.values())
        block.held.clear()
        sql = combined(tuple(one.write for one in held))
        args = [arg for one in held for arg in one.args]
        try:
            await self._ask(block, sql, *args)
        except asyncpg.IntegrityConstraintViolationError as error:
            refusal = await _refusal(error.constraint_name, held)
            if refusal is None:
                raise
            block.failure = refusal
            raise refusal from error

    async def _ask(self, block: _Block, sql: str, *args: object) -> list[Record]:
        try:
            return await (block.begun or self.pool).fetch(sql, *args)
        except Exception as error:
            block.failure = error
            raise

    @property
    def _open(self) -> _Block:
        if self._block is None:
            raise RuntimeError("no transaction is open: use `async with transaction:`")
        return self._block


@cache
def combined(writes: tuple[Write, ...]) -> str:
    """One statement that makes all these changes, or none; its arguments are theirs, one after the other."""
    ctes, checks, given = [], [], 0
    for write in writes:
        ctes.append(_renumbered(write.ctes, given))
        given += max(map(int, _ARGUMENT.findall(write.ctes)), default=0)
        if write.finds:
            checks.append(f"SELECT refuse('{write.rule}') WHERE NOT EXISTS (SELECT FROM {write.finds})")
    return f"WITH {', '.join(ctes)} {' UNION ALL '.join(checks) or 'SELECT'}"


def _renumbered(sql: str, given: int) -> str:
    return _ARGUMENT.sub(lambda argument: f"${int(argument[1]) + given}", sql)


async def _refusal(constraint: str | None, held: list[_Held]) -> DomainError | None:
    for one in held:
        if constraint in one.explain:
            return await one.explain[constraint]()
    refusal = REFUSALS.get(constraint or "")
    return refusal() if refusal else None
