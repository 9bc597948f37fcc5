import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import asyncpg

from adapters.postgres.batching import MAX_BATCH, Batcher
from adapters.postgres.connections import ConnectionLost
from adapters.postgres.statements import BatchedStatement, Found, Values
from adapters.postgres.writes import Rows, Write, combined
from core.ports.database import DatabaseUnavailable


class Shareable(Protocol):
    """An open transaction."""

    async def fetch(self, sql: str, *args: object) -> Sequence[Found]: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...


class Share:
    """The part of one block in a transaction that it shares with others."""

    def __init__(self, values: Values) -> None:
        loop = asyncio.get_running_loop()
        self.values = values
        self.found: asyncio.Future[Found | None] = loop.create_future()
        self.ended: asyncio.Future[tuple[tuple[Write, ...], Rows] | None] = loop.create_future()
        """What it writes in the end; None for nothing."""
        self.committed: asyncio.Future[None] = loop.create_future()

    async def commit(self, writes: tuple[Write, ...], rows: Rows) -> None:
        """Returns after the commit. Raises asyncpg.PostgresError or DatabaseUnavailable. Its last call."""
        self.ended.set_result((writes, rows))
        await self.committed

    def leave(self) -> None:
        """End without a write; to be called when the block fails too."""
        if not self.ended.done():
            self.ended.set_result(None)


class SharedTransactions:
    """Runs concurrent blocks that lock one row first and write at their end in one transaction.

    Rows are locked by one statement, then each block decides, then all that they write is one statement. If the
    database refuses that, the locks stay, and each block's writes are sent once more on their own: every caller gets
    its own answer. Blocks that want the same row take turns. A lost connection is ConnectionLost for all of them.
    """

    def __init__(self, begin: Callable[[], Awaitable[Shareable]], *, max_batch: int = MAX_BATCH) -> None:
        self._begin = begin
        self._max_batch = max_batch
        self._batchers: dict[BatchedStatement, Batcher[Share, None]] = {}

    async def join(self, lock: BatchedStatement, *values: object) -> tuple[Share, Found | None]:
        """Take part: the row that the statement finds and locks. Raises what it raises."""
        if lock not in self._batchers:
            self._batchers[lock] = Batcher(lambda shares: self._run(lock.sql, shares), max_batch=self._max_batch)
        share = Share(values)
        self._batchers[lock].put(share)
        try:
            return share, await share.found
        except BaseException:
            share.leave()
            raise

    async def _run(self, sql: str, shares: Sequence[Share]) -> Sequence[None]:
        left = [share for share in shares if not share.ended.done()]
        while left:
            turn = list({share.values: share for share in reversed(left)}.values())
            left = [share for share in left if share not in turn]
            await self._run_turn(sql, turn)
        return [None] * len(shares)

    async def _run_turn(self, sql: str, shares: Sequence[Share]) -> None:
        """Of shares that want different rows."""
        try:
            transaction = await self._begin()
            try:
                await self._find(transaction, sql, shares)
                writing = [(share, end) for share in shares if (end := await share.ended)]
                outcomes = await _write(transaction, [end for _, end in writing])
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.commit() if None in outcomes else transaction.rollback())
        except Exception as error:
            for share in shares:
                _raise_to(share.found, error)
                if share.ended.done() and share.ended.result():
                    _raise_to(share.committed, error)
            return
        for (share, _), outcome in zip(writing, outcomes, strict=True):
            if outcome:
                _raise_to(share.committed, outcome)
            elif not share.committed.done():
                share.committed.set_result(None)

    async def _find(self, transaction: Shareable, sql: str, shares: Sequence[Share]) -> None:
        rows = await transaction.fetch(sql, *zip(*(share.values for share in shares), strict=True))
        found = {row["place"]: row for row in rows}
        for place, share in enumerate(shares, 1):
            if not share.found.done():
                share.found.set_result(found.get(place))


Ends = Sequence[tuple[tuple[Write, ...], Rows]]


async def _write(transaction: Shareable, ends: Ends) -> Sequence[Exception | None]:
    """The outcome of each of them."""
    if len(ends) == 1:
        await _send(transaction, ends)
    if len(ends) <= 1:
        return [None] * len(ends)
    if await _attempt(transaction, ends) is None:
        return [None] * len(ends)
    return [await _attempt(transaction, [end]) for end in ends]


async def _attempt(transaction: Shareable, ends: Ends) -> Exception | None:
    """Nothing is written if it fails, but what was locked before stays locked."""
    await transaction.fetch("SAVEPOINT before")
    try:
        await _send(transaction, ends)
        await transaction.fetch("SET CONSTRAINTS ALL IMMEDIATE")
    except ConnectionLost:
        raise
    except (asyncpg.PostgresError, DatabaseUnavailable) as error:
        await transaction.fetch("ROLLBACK TO SAVEPOINT before")
        return error
    return None


async def _send(transaction: Shareable, ends: Ends) -> None:
    by_writes: dict[tuple[Write, ...], list[Rows]] = {}
    for writes, rows in ends:
        by_writes.setdefault(writes, []).append(rows)
    for writes, all_rows in by_writes.items():
        joined = ([row for rows in given for row in rows] for given in zip(*all_rows, strict=True))
        await transaction.fetch(combined(writes), *joined)


def _raise_to(future: "asyncio.Future[None] | asyncio.Future[Found | None]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
