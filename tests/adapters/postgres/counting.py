from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.postgres.pool import Pool


@asynccontextmanager
async def counted(pool: Pool, round_trips: int) -> AsyncIterator[None]:
    await pool.notifier.wait_until_sent()
    before = pool.round_trips
    yield
    assert pool.round_trips - before == round_trips
