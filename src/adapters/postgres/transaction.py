from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

import asyncpg

from adapters.postgres.changes import CHANNEL
from adapters.postgres.connections import ConnectionLost
from adapters.postgres.errors import REFUSALS
from adapters.postgres.pool import OpenTransaction, Record
from adapters.postgres.shared import Share
from adapters.postgres.statements import BatchedStatement
from adapters.postgres.unit_of_work import Deferral, UnitOfWork
from adapters.postgres.writes import Row, Rows, Write, combined
from core.errors import DomainError
from core.ports.changes import Topic
from core.ports.database import DatabaseUnavailable
from core.ports.transaction import OutcomeUnknown, Transaction

Explain = Callable[[], Awaitable[DomainError]]
"""Makes the domain error of a violated constraint if its name alone is not enough."""

Result = TypeVar("Result")

_PLAIN: Mapping[str | None, Explain] = MappingProxyType({})


@dataclass(slots=True)
class _Held:
    write: Write
    rows: Sequence[Row]
    explain: Mapping[str | None, Explain]


@dataclass(slots=True)
class _Block:
    connection: OpenTransaction | None = None
    share: Share | None = None
    """Of a transaction that it shares with others, instead of a connection."""
    held: dict[str, _Held] = field(default_factory=dict)
    """By what they touch."""
    failure: Exception | None = None
    callbacks: list[Callable[[], None]] = field(default_factory=list)


class PostgresTransaction(Transaction):
    """Writes are deferred and sent together as one statement, at the end of the block or before a read.

    A block that neither locks nor reads after writing needs no BEGIN and COMMIT: the statement is its own transaction.
    READ COMMITTED: rows that must not change after a read are read with a lock.
    """

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._block: _Block | None = None

    async def fetch(self, sql: str, *args: object, lock: bool = False) -> list[Record]:
        """Run a query. With `lock`, or after a write, this and later ones use the transaction's connection."""
        block = self._open
        if block.connection is None and (lock or block.held):
            await self._begin(block)
        if block.connection is None:
            return await self.unit.fetch(sql, *args)
        await self._send(block)
        return await self._attempt(block, block.connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: object, lock: bool = False) -> Record | None:
        rows = await self.fetch(sql, *args, lock=lock)
        return rows[0] if rows else None

    async def row(self, statement: BatchedStatement, *values: object) -> Record | None:
        """The row that a statement answers this call with, if there is one; read as `fetch` reads without a lock."""
        if self._open.connection is None and not self._open.held:
            return await self.unit.row(statement, *values)
        return await self.fetchrow(statement.sql, *([value] for value in values))

    async def locked_row(self, lock: BatchedStatement, *values: object) -> Record | None:
        """The row that a statement finds and locks for this call: the first of a block that then only writes.

        Concurrent blocks share a transaction.
        """
        block = self._open
        if self.unit.deferral or block.connection is not None or block.held:
            return await self.fetchrow(lock.sql, *([value] for value in values), lock=True)
        block.share, row = await self._attempt(block, self.unit.join(lock, *values))
        return row

    async def write(self, write: Write, *rows: Row, explain: Mapping[str | None, Explain] = _PLAIN) -> None:
        """Write, at the latest at the end of the block."""
        block = self._open
        if write.target in block.held:
            await self._begin(block)
            await self._send(block)
        block.held[write.target] = _Held(write, rows, explain)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._open.callbacks.append(callback)

    def notify_after_commit(self, topic: Topic) -> None:
        """Notify watchers of the topic after the commit."""
        self.after_commit(lambda: self.unit.pool.notifier.notify(CHANNEL, topic))

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError("this transaction has an open block already")
        self._block = _Block()
        if deferral := self.unit.deferral:
            self._block.connection, deferral.transaction = deferral.transaction, None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = self._open
        self._block = None
        failure = error or block.failure
        if failure is None:
            if deferral := self.unit.deferral:
                await self._defer(block, deferral)
                return
            changes = block.connection is not None or bool(block.held)
            await self._commit(block)
            if block.share is not None:
                block.share.leave()
            self.unit.committed |= changes
            for callback in block.callbacks:
                callback()
            return
        if block.connection is not None:
            await block.connection.rollback()
        if block.share is not None:
            block.share.leave()
        if error is None:
            raise failure

    async def _commit(self, block: _Block) -> None:
        if block.connection is None:
            try:
                await self._send(block)
            except ConnectionLost as error:
                raise OutcomeUnknown from error
            return
        try:
            await self._send(block)
        except BaseException:
            await block.connection.rollback()
            raise
        try:
            await block.connection.commit()
        except ConnectionLost as error:
            raise OutcomeUnknown from error

    async def _begin(self, block: _Block) -> None:
        if block.connection is not None:
            return
        if block.share is not None:
            raise RuntimeError("this block shares a transaction: it can only write, at its end")
        block.connection = await self.unit.begin()
        if deferral := self.unit.deferral:
            try:
                await deferral.prepare(block.connection)
            except Exception as error:
                block.failure = error
                raise

    async def _defer(self, block: _Block, deferral: Deferral) -> None:
        """Defer the commit; refusals are raised now, while the use case can still clean up."""
        try:
            if block.held:
                await self._begin(block)
                await self._send(block)
            if block.connection is not None:
                await self._attempt(block, block.connection.fetch("SET CONSTRAINTS ALL IMMEDIATE"))
        except BaseException:
            if block.connection is not None:
                await block.connection.rollback()
            raise
        deferral.transaction = block.connection
        deferral.callbacks += block.callbacks

    async def _send(self, block: _Block) -> None:
        """Send all deferred writes as one statement."""
        if not block.held:
            return
        held = list(block.held.values())
        block.held.clear()
        try:
            await self._attempt(block, self._write(block, tuple(one.write for one in held), [one.rows for one in held]))
        except asyncpg.IntegrityConstraintViolationError as error:
            refusal = await _refusal(error.constraint_name, held)
            if refusal is None:
                raise
            block.failure = refusal
            raise refusal from error

    async def _write(self, block: _Block, writes: tuple[Write, ...], rows: Rows) -> None:
        if block.connection is not None:
            await block.connection.fetch(combined(writes), *rows)
        elif block.share is not None:
            await self.unit.commit(block.share, writes, rows)
        elif all(write.batched for write in writes):
            await self.unit.write(writes, rows)
        else:
            await self.unit.pool.fetch(combined(writes), *rows, usage=self.unit.usage)

    async def _attempt(self, block: _Block, work: Awaitable[Result]) -> Result:
        """The result of `work`. After a failure the block cannot commit."""
        try:
            return await work
        except DatabaseUnavailable as error:
            block.failure = error
            self.unit.check_nothing_committed(error)
            raise
        except Exception as error:
            block.failure = error
            raise

    @property
    def _open(self) -> _Block:
        if self._block is None:
            raise RuntimeError("no transaction is open: use `async with transaction:`")
        return self._block


async def _refusal(constraint: str | None, held: list[_Held]) -> DomainError | None:
    for one in held:
        if constraint in one.explain:
            return await one.explain[constraint]()
    refusal = REFUSALS.get(constraint or "")
    return refusal() if refusal else None
