"""Batch sizes that tests force on a pool."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum

from adapters.postgres.batching import MAX_BATCH
from adapters.postgres.pool import Pool, create_pool
from adapters.postgres.shared import Shareable, SharedTransactions
from adapters.postgres.statements import Found
from adapters.postgres.writes import BatchedWrites, Rows


class Batches(Enum):
    ONE = "one"
    """Nothing is sent together."""
    MANY = "many"
    """As in the service."""
    REFUSED = "refused"
    """One call of each batch is refused."""


@asynccontextmanager
async def pool_with(batches: Batches, url: str, *, max_size: int) -> AsyncIterator[Pool]:
    async with create_pool(url, max_size=max_size, max_batch=1 if batches is Batches.ONE else MAX_BATCH) as pool:
        if batches is Batches.REFUSED:
            pool.writes = _BesideARefusedOne(pool.fetch)
            pool.shared = SharedTransactions(lambda: _begin(pool))
        yield pool


class _BesideARefusedOne(BatchedWrites):
    """Each batch has a call with an empty row for each write, which no table takes."""

    async def _send(self, sql: str, calls: Sequence[Rows]) -> Sequence[Exception | None]:
        *outcomes, refusal = await super()._send(sql, [*calls, [[{}] for _ in calls[0]]])
        assert refusal is not None
        return outcomes


async def _begin(pool: Pool) -> Shareable:
    return _RefusesOnce(await pool.begin())


class _RefusesOnce:
    """A transaction in which the first statement after the first savepoint is refused."""

    def __init__(self, transaction: Shareable) -> None:
        self._transaction = transaction
        self._savepoints = 0

    async def fetch(self, sql: str, *args: object) -> Sequence[Found]:
        if self._savepoints == 1 and not sql.startswith("ROLLBACK"):
            sql, args = "SELECT 1 / 0", ()
        self._savepoints += sql.startswith(("SAVEPOINT", "ROLLBACK TO"))
        return await self._transaction.fetch(sql, *args)

    async def commit(self) -> None:
        await self._transaction.commit()

    async def rollback(self) -> None:
        await self._transaction.rollback()
