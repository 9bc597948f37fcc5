"""The rules of a requested generation on tables that were never analyzed, as in the first minutes of a new service."""

import asyncio

import asyncpg

from adapters.postgres.pool import create_pool
from core.generations.request_generation import NewGeneration, RequestGeneration
from tests.contracts.postgres_world import PostgresWorld

USERS = 16
ROUNDS = 20
MAX_LOOKUPS = 12
"""Of accounts, for one request: its hold and the rules that compare it."""
LOOKUPS = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'pk_accounts'"
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


async def test_a_request_does_not_read_the_holds_of_others(own_database_url: str) -> None:
    async with create_pool(own_database_url, max_size=4) as pool:
        world = PostgresWorld(pool)
        style = await world.style(await world.artist("mia"))
        users = [await world.user(f"user-{number}", tokens=1000) for number in range(USERS)]
    before = await _lookups(own_database_url)
    async with create_pool(own_database_url, max_size=4) as pool:
        world = PostgresWorld(pool)
        for _ in range(ROUNDS):
            await asyncio.gather(
                *(world.use_case(RequestGeneration)(user.id, NewGeneration(style.id, ["cat"])) for user in users)
            )
    lookups = await _lookups(own_database_url) - before
    assert USERS * ROUNDS < lookups < MAX_LOOKUPS * USERS * ROUNDS


async def _lookups(url: str) -> int:
    """Connections report what they have counted when they are closed."""
    connection = await asyncpg.connect(url)
    try:
        while await connection.fetchval(OTHERS):
            pass
        count: int = await connection.fetchval(LOOKUPS)
        return count
    finally:
        await connection.close()
