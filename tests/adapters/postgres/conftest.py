from collections.abc import AsyncIterator

import pytest

from adapters.postgres.pool import Pool, create_pool
from tests.contracts.postgres_world import PostgresWorld


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, max_size=8) as opened:
        yield opened


@pytest.fixture
def world(pool: Pool) -> PostgresWorld:
    return PostgresWorld(pool)
