import asyncio
from typing import Any

import asyncpg

from adapters.postgres.pool import Pool
from adapters.postgres.styles import fold_uses
from core.paging import PageRequest
from tests.contracts.postgres_world import PostgresWorld


async def test_folding_changes_no_count(world: PostgresWorld, pool: Pool, sql: "asyncpg.Connection[Any]") -> None:
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
        await asyncio.gather(*(fold_uses(pool) for _ in range(3)))
        assert await sql.fetchval("SELECT count(*) FROM style_uses") == 0
        assert await sql.fetchval("SELECT sum(usage_count) FROM styles") == 3
    await world.image(ann, oil)
    assert await counts() == [("Oil", 2, 14), ("Ink", 2, 60)]
