from collections.abc import AsyncIterator

import pytest

from adapters.postgres.pool import Pool, create_pool
from tests.contracts.postgres_world import PostgresWorld
from tests.support.fills.crowd import crowd
from tests.support.postgres import Server, filled_copy


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, max_size=8) as opened:
        yield opened


@pytest.fixture
def world(pool: Pool) -> PostgresWorld:
    return PostgresWorld(pool)


@pytest.fixture(scope="session")
async def crowded_url(postgres_server: Server) -> AsyncIterator[str]:
    """The database of `crowd`, for tests that only read."""
    async with filled_copy(postgres_server, crowd) as url:
        yield url
