import asyncio
from typing import Any

import asyncpg

from core.paging import PageRequest
from tests.contracts.postgres_world import PostgresWorld


async def test_rolling_up_changes_no_count(world: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    mia = await world.artist("mia")
    ink, oil = await world.style(mia, "Ink"), await world.style(mia, "Oil", generation_cost_tokens=7)
    ann = await world.user("ann", tokens=1000)
    for style in (ink, ink, oil):
        await world.image(ann, style)

    async def counts() -> list[tuple[str, int, int]]:
        page = await world.read.styles.list_own(mia.id, page=PageRequest())
        return [(card.name, card.usage_count, card.total_earned_tokens) for card in page.rows]

    for _ in range(2):
        assert await counts() == [("Oil", 1, 7), ("Ink", 2, 60)]
        while await roll_up(world):
            await asyncio.gather(*(roll_up(world) for _ in range(3)))
        assert await sql.fetchval("SELECT count(*) FROM style_uses") == 0
        assert await sql.fetchval("SELECT sum(usage_count) FROM styles") == 3
    await world.image(ann, oil)
    assert await counts() == [("Oil", 2, 14), ("Ink", 2, 60)]


async def roll_up(world: PostgresWorld, *, limit: int = 2) -> int:
    return await world.maintenance.roll_up_uses(limit=limit)


async def test_rolling_up_is_limited_and_does_not_wait(world: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=1000)
    ink, oil = await world.style(mia, "Ink"), await world.style(mia, "Oil")
    for style in (ink, ink, ink, oil):
        await world.image(ann, style)

    async with sql.transaction():
        await sql.execute("SELECT FROM styles WHERE id = $1 FOR NO KEY UPDATE", oil.id)
        assert [await roll_up(world), await roll_up(world), await roll_up(world)] == [2, 1, 0]

    assert await sql.fetchval("SELECT usage_count FROM styles WHERE id = $1", ink.id) == 3
    assert [await roll_up(world), await roll_up(world)] == [1, 0]
