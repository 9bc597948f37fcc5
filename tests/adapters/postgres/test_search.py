"""What is looked for is found by an index, whatever it is."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.paging import WINDOW
from adapters.postgres.pool import SETTINGS
from adapters.postgres.search import STYLES, asked_with
from core.search.views import SearchType
from tests.adapters.postgres.plans import nodes, plans
from tests.support import postgres

FILL = """
SET session_replication_role = 'replica';
DROP INDEX ix_style_texts_grams, ix_artist_texts_grams;

INSERT INTO users (id, provider, subject, username, role, bio, created_at, updated_at)
SELECT n, 'test', n, 'painter-' || n, 'artist', '', now(), now() FROM generate_series(1, 5000) n;

INSERT INTO artists (user_id, artist_name, verified_email, signature_key, created_at)
SELECT n, 'Artist ' || n, 'artist@example.com', 'signatures/' || n, now() FROM generate_series(1, 5000) n;

INSERT INTO artist_texts (user_id, username, artist_name, grams)
SELECT n, 'painter-' || n, 'artist ' || n, search_grams('painter-' || n || E'\\n' || 'artist ' || n)
FROM generate_series(1, 5000) n;

INSERT INTO styles (
    id, artist_id, name, name_key, description, generation_cost_tokens, license_type, tags, task_id, training_status,
    is_active, show_samples, model_path, created_at, updated_at
)
SELECT n, 1 + n % 5000, 'Style ' || n, 'style ' || n, '', 30, 'personal', '{}', gen_random_uuid(), 'completed', true,
    true, 'gs://models/' || n, now(), now()
FROM generate_series(1, 10000) n;

INSERT INTO style_texts (style_id, texts, grams)
SELECT n, E'\\nstyle ' || n || E'\\n', search_grams(E'\\nstyle ' || n || E'\\n') FROM generate_series(1, 10000) n;

CREATE INDEX ix_style_texts_grams ON style_texts USING gin (grams) WITH (fastupdate = off);
CREATE INDEX ix_artist_texts_grams ON artist_texts USING gin (grams) WITH (fastupdate = off);
INSERT INTO tags (name, usage_count) SELECT substr(md5(n::text), 1, 6) || n, n % 5000 FROM generate_series(1, 20000) n;
INSERT INTO tags (name, usage_count) SELECT 'style ' || n, n % 5000 FROM generate_series(1, 20000) n;
INSERT INTO tag_deltas (name, amount) SELECT substr(md5(n::text), 1, 6) || n, 1 FROM generate_series(1, 20000, 25) n;
RESET session_replication_role;
"""
TABLES = {"style_texts", "artist_texts", "styles", "users", "artists"}


@pytest.fixture(scope="module")
async def much(postgres_server: postgres.Server, _template: str) -> AsyncIterator[str]:
    name = f"test_search_{uuid4().hex[:8]}"
    url = await postgres_server.create(name, _template)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    yield url
    await postgres_server.drop(name)


@pytest.mark.parametrize("kind", [SearchType.STYLES, SearchType.ARTISTS], ids=["styles", "artists"])
@pytest.mark.parametrize("query", ["4321", "style 4999", "painter-4321", "999", "수채화"])
async def test_nothing_is_searched_from_end_to_end(much: str, kind: SearchType, query: str) -> None:
    [plan] = await plans(much, lambda world: world.read.search.search(query, type=kind, limit=20))

    assert TABLES.isdisjoint(plan.read_from_end_to_end())
    for planned in (plan.carried_out, plan.prepared):
        assert sum(node.get("Index Name", "").endswith("_grams") for node in nodes(planned)) == 4


@pytest.mark.parametrize("query", ["style", "tyl", "st", "e"])
async def test_what_all_have_is_found_without_listing_them_all(much: str, query: str) -> None:
    """With the plan that a server keeps for whatever is looked for."""
    connection = await asyncpg.connect(much, server_settings=SETTINGS | {"plan_cache_mode": "force_generic_plan"})
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


@pytest.mark.parametrize("search", ["", "3", "3a", "3a4", "s", "style 77", "zebra"])
@pytest.mark.parametrize("generic", [False, True])
async def test_tags_are_found_by_an_index(much: str, search: str, generic: bool) -> None:
    """Their changes may be read from end to end: each sweep folds them."""
    [plan] = await plans(much, lambda world: world.read.search.tags(search, limit=20), generic=generic)

    assert plan.read_from_end_to_end() <= {"tag_deltas"}
    assert plan.most_rows() <= WINDOW


@pytest.mark.parametrize("generic", [False, True])
async def test_a_beginning_that_no_tag_has_is_not_looked_for_among_all(much: str, generic: bool) -> None:
    """An index that is gone through from end to end shows in what is read, not in rows."""
    [plan] = await plans(much, lambda world: world.read.search.tags("zebra", limit=20), generic=generic)

    assert plan.blocks <= 40
