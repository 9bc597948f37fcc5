"""What is looked for is found by an index, whatever it is."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.pool import SETTINGS
from adapters.postgres.search import ARTISTS, STYLES, asked_with
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
    id, artist_id, name, description, generation_cost_tokens, license_type, tags, task_id, training_status, is_active,
    show_samples, model_path, created_at, updated_at
)
SELECT n, 1 + n % 5000, 'Style ' || n, '', 30, 'personal', '{}', gen_random_uuid(), 'completed', true, true,
    'gs://models/' || n, now(), now()
FROM generate_series(1, 10000) n;

INSERT INTO style_texts (style_id, texts, grams)
SELECT n, E'\\nstyle ' || n || E'\\n', search_grams(E'\\nstyle ' || n || E'\\n') FROM generate_series(1, 10000) n;

CREATE INDEX ix_style_texts_grams ON style_texts USING gin (grams) WITH (fastupdate = off);
CREATE INDEX ix_artist_texts_grams ON artist_texts USING gin (grams) WITH (fastupdate = off);
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


@pytest.mark.parametrize("sql", [STYLES, ARTISTS], ids=["styles", "artists"])
@pytest.mark.parametrize("query", ["4321", "style 4999", "painter-4321", "999", "수채화"])
async def test_nothing_is_searched_from_end_to_end(much: str, sql: str, query: str) -> None:
    connection = await asyncpg.connect(much, server_settings=SETTINGS)
    try:
        explained = [await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *asked_with(query, 20))]
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE look AS {sql}")
        explained.append(
            await connection.fetchval("EXPLAIN (FORMAT JSON) EXECUTE look(NULL, NULL, NULL, NULL, NULL, NULL)")
        )
    finally:
        await connection.close()

    for plan in explained:
        used = list(nodes(json.loads(plan)[0]["Plan"]))
        assert TABLES.isdisjoint(node["Relation Name"] for node in used if node["Node Type"] == "Seq Scan")
        assert sum(node.get("Index Name", "").endswith("_grams") for node in used) == 4


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)
