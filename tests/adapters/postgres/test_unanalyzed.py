"""Writes on tables that were not analyzed since they have grown: as in the first minutes of a new service, or when many
generations begin to wait.
"""

import asyncio

import asyncpg

from adapters.postgres.pool import create_pool
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.identifiers import GenerationId
from tests.contracts.postgres_world import PostgresWorld

USERS = 16
ROUNDS = 20
MAX_LOOKUPS = 12
"""Of accounts, for one request: its hold and the rules that compare it."""
LOOKUPS = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1"
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


async def test_a_request_does_not_read_the_holds_of_others(own_database_url: str) -> None:
    async with create_pool(own_database_url, max_size=4) as pool:
        world = PostgresWorld(pool)
        style = await world.style(await world.artist("mia"))
        users = [await world.user(f"user-{number}", tokens=1000) for number in range(USERS)]
    before = await _lookups(own_database_url, "pk_accounts")
    async with create_pool(own_database_url, max_size=4) as pool:
        world = PostgresWorld(pool)
        for _ in range(ROUNDS):
            await asyncio.gather(
                *(world.use_case(RequestGeneration)(user.id, NewGeneration(style.id, ["cat"])) for user in users)
            )
    lookups = await _lookups(own_database_url, "pk_accounts") - before
    assert USERS * ROUNDS < lookups < MAX_LOOKUPS * USERS * ROUNDS


async def test_progress_does_not_read_what_has_not_ended(own_database_url: str) -> None:
    """The statistics know of no generation that has not ended."""
    async with create_pool(own_database_url, max_size=4) as pool:
        world = PostgresWorld(pool)
        style = await world.style(await world.artist("mia"))
        user = await world.user("ann", tokens=10_000)
        await world.image(user, style)
        await pool.fetch("ANALYZE")
        generations = [await world.generation(user, style) for _ in range(100)]
    before = await _lookups(own_database_url, "ix_generations_unended")
    async with create_pool(own_database_url, max_size=4) as pool:
        world = PostgresWorld(pool)
        for step in range(1, 10):
            await asyncio.gather(*(_report(world, generation.id, step) for generation in generations))
    assert await _lookups(own_database_url, "ix_generations_unended") == before


async def _report(world: PostgresWorld, generation_id: GenerationId, step: int) -> None:
    outcome = await world.use_case(RecordProgress)(
        generation_id, current_step=step, total_steps=9, progress_percent=1.0, estimated_seconds=None
    )
    assert outcome.applied


async def _lookups(url: str, index: str) -> int:
    """Connections report what they have counted when they are closed."""
    connection = await asyncpg.connect(url)
    try:
        while await connection.fetchval(OTHERS):
            pass
        count: int = await connection.fetchval(LOOKUPS, index)
        return count
    finally:
        await connection.close()
