"""Searches use indexes, whatever the search text."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from adapters.postgres.paging import WINDOW
from adapters.postgres.pool import SETTINGS
from adapters.postgres.search import STYLES, asked_with
from core.search.views import SearchType
from tests.adapters.postgres.plans import nodes, plans
from tests.support import postgres
from tests.support.fills.catalogue import catalogue
from tests.support.fills.fill import Fill

TABLES = {"style_texts", "artist_texts", "styles", "users", "artists"}


async def searched(fill: Fill) -> None:
    await catalogue(fill, styles=10_000, artists=5000, tags=20_000)


@pytest.fixture(scope="session")
async def large_database(postgres_server: postgres.Server) -> AsyncIterator[str]:
    async with postgres.filled_copy(postgres_server, searched) as url:
        yield url


@pytest.mark.parametrize("kind", [SearchType.STYLES, SearchType.ARTISTS], ids=["styles", "artists"])
@pytest.mark.parametrize("query", ["4321", "amber 6077", "velvet.amber", "999", "stained", "수채화"])
async def test_search_uses_indexes(large_database: str, kind: SearchType, query: str) -> None:
    [plan] = await plans(large_database, lambda world: world.read.search.search(query, type=kind, limit=20))

    assert TABLES.isdisjoint(plan.sequential_scans())
    for planned in (plan.carried_out, plan.prepared):
        assert sum(node.get("Index Name", "").endswith("_grams") for node in nodes(planned)) == 4


@pytest.mark.parametrize("query", ["style", "tyl", "st", "e"])
async def test_a_common_term_is_found_without_listing_all_rows(large_database: str, query: str) -> None:
    """With the plan that a server keeps for whatever is looked for."""
    connection = await asyncpg.connect(
        large_database, server_settings=SETTINGS | {"plan_cache_mode": "force_generic_plan"}
    )
    try:
        await connection.execute(f"PREPARE look AS {STYLES}")
        values = ", ".join(
            f"ARRAY{value}" if isinstance(value, list) else f"{value!r}" for value in asked_with(query, 20)
        )
        plan = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE look({values})"))[0][
            "Plan"
        ]
    finally:
        await connection.close()

    listed = [node["Actual Rows"] for node in nodes(plan) if node["Node Type"] == "Bitmap Index Scan"]
    assert plan["Actual Rows"] == 100
    assert sum(listed) <= 1000


@pytest.mark.parametrize("search", ["", "s", "si", "silver", "silver m", "zebra"])
@pytest.mark.parametrize("generic", [False, True])
async def test_tags_are_found_by_an_index(large_database: str, search: str, generic: bool) -> None:
    """Their deltas may be scanned: each maintenance pass rolls them up."""
    [plan] = await plans(large_database, lambda world: world.read.search.tags(search, limit=20), generic=generic)

    assert plan.sequential_scans() <= {"tag_deltas"}
    assert plan.most_rows() <= WINDOW


@pytest.mark.parametrize("generic", [False, True])
async def test_an_unknown_tag_prefix_does_not_scan_all_tags(large_database: str, generic: bool) -> None:
    """A full index scan shows in the buffers read, not in the number of rows."""
    [plan] = await plans(large_database, lambda world: world.read.search.tags("zebra", limit=20), generic=generic)

    assert plan.blocks <= 40
