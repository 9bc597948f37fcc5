"""schema.sql equals the migrated schema, and has a comment for every rule."""

import re
from collections.abc import Mapping

import asyncpg

from tests.adapters.postgres.test_migrate import schema_of
from tests.support import schema

UNEXPLAINED = """
SELECT relname AS name FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
    AND obj_description(oid, 'pg_class') IS NULL
UNION ALL
SELECT conname FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'u', 'x')
    AND obj_description(oid, 'pg_constraint') IS NULL
UNION ALL
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace AND indisunique AND obj_description(indexrelid, 'pg_class') IS NULL
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
UNION ALL
SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND obj_description(oid, 'pg_trigger') IS NULL
UNION ALL
SELECT proname FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
ORDER BY 1
"""


async def test_schema_sql_equals_the_migrated_schema(database_url: str) -> None:
    assert schema.FILE.read_text() == await schema.render(database_url), "run `make schema`"


async def test_schema_sql_can_be_executed(database_url: str, empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(schema.FILE.read_text())
    finally:
        await connection.close()

    assert spaced(await schema_of(empty_database_url)) == spaced(await schema_of(database_url))


async def test_every_constraint_and_trigger_states_its_rule(database_url: str) -> None:
    """Tables, triggers, functions and all that is unique or checked: `COMMENT ON` in the migration."""
    connection = await asyncpg.connect(database_url)
    try:
        assert [row["name"] for row in await connection.fetch(UNEXPLAINED)] == []
    finally:
        await connection.close()


def spaced(definitions: Mapping[tuple[str, str], str | None]) -> dict[tuple[str, str], list[str]]:
    """Whatever the indentation of function bodies, and without brackets that mean nothing: `a AND (b AND c)`."""
    return {name: re.sub(r"[()]", " ", definition or "").split() for name, definition in definitions.items()}
