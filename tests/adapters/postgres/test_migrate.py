import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.postgres import migrate
from adapters.postgres.tables import Row
from core.ports.database import DatabaseUnavailable
from tests.support import processes

SCHEMA = """
SELECT 'column' AS kind, table_name || '.' || column_name AS name,
    concat_ws(' ', data_type, is_nullable, column_default, identity_generation) AS definition
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c', 'x')
    AND conrelid <> coalesce(to_regclass('alembic_version'), 0)
UNION ALL
SELECT 'index', tablename || '.' || indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL
SELECT 'option', relname, reloptions::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
UNION ALL
SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'sequence', relname, '' FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
"""
DECLARED = ("column", "constraint", "index", "option")
"""What tables/*.py declare; triggers and functions are in the migrations alone."""

Schema = dict[tuple[str, str], str]


async def test_every_migration_goes_up_down_and_up_again(empty_database_url: str) -> None:
    url = empty_database_url
    seen: dict[str, Schema] = {"base": await schema_of(url)}
    revisions = ["base", *numbered()]

    for revision in revisions[1:]:
        await asyncio.to_thread(migrate.upgrade, url, revision)
        seen[revision] = await schema_of(url)
    for revision in reversed(revisions[:-1]):
        await asyncio.to_thread(migrate.downgrade, url, revision)
        assert await asyncio.to_thread(migrate.current, url) == revision
        assert await schema_of(url) == seen[revision]
    for revision in revisions[1:]:
        await asyncio.to_thread(migrate.upgrade, url, revision)
        assert await schema_of(url) == seen[revision]

    assert seen["base"] == {}
    assert len({len(schema) for schema in seen.values()}) > 1


async def test_the_declared_tables_equal_the_migrated_schema(database_url: str, empty_database_url: str) -> None:
    declared = engine(empty_database_url)
    async with declared.begin() as connection:
        await connection.run_sync(Row.metadata.create_all)

    migrated = engine(database_url)
    async with migrated.connect() as connection:
        assert await connection.run_sync(differences) == []

    assert only_declared(await schema_of(database_url)) == only_declared(await schema_of(empty_database_url))


async def test_the_newest_file_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [migrate.head()]
    assert numbered() == [f"{number:04}" for number in range(1, int(migrate.head()) + 1)]


def test_an_up_to_date_start_does_not_import_alembic(database_url: str) -> None:
    program = (
        "import sys; from adapters.postgres import migrate; migrate.upgrade(sys.argv[1]);"
        "sys.exit(bool({'alembic', 'sqlalchemy'} & sys.modules.keys()))"
    )

    result = subprocess.run(
        [sys.executable, "-c", program, database_url],
        env=processes.environment(),
        check=False,
    )

    assert result.returncode == 0


async def test_concurrent_starts_migrate_once(empty_database_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate.upgrade, empty_database_url) for _ in range(3)))

    assert await asyncio.to_thread(migrate.current, empty_database_url) == migrate.head()


async def test_a_second_migration_waits_for_the_first(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("SELECT pg_advisory_lock($1)", migrate.ONE_AT_A_TIME)
    second = asyncio.create_task(asyncio.to_thread(migrate.upgrade, empty_database_url))
    while not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
        assert not second.done()
        await asyncio.sleep(0)

    assert await asyncio.to_thread(migrate.current, empty_database_url) == "base"
    await connection.close()
    await second
    assert await asyncio.to_thread(migrate.current, empty_database_url) == migrate.head()


async def test_a_database_ahead_of_this_version_is_left_alone(
    own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = migrate.head()
    before = await schema_of(own_database_url)
    monkeypatch.setattr(migrate, "head", lambda: "0003")

    await asyncio.to_thread(migrate.upgrade, own_database_url)

    assert await asyncio.to_thread(migrate.current, own_database_url) == newest
    assert await schema_of(own_database_url) == before


async def test_a_failed_migration_is_rolled_back(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text((migrate.MIGRATIONS / "env.py").read_text())
    for number, body in (("0001", "CREATE TABLE one ()"), ("0002", "CREATE TABLE two ()"), ("0003", "no SQL")):
        before = f"{int(number) - 1:04}" if number != "0001" else None
        (versions / f"{number}_x.py").write_text(
            f"from alembic import op\nrevision = {number!r}\ndown_revision = {before!r}\n"
            f"def upgrade():\n    op.execute('CREATE TABLE half_{number} ()')\n    op.execute({body!r})\n"
        )
    monkeypatch.setattr(migrate, "MIGRATIONS", tmp_path)

    with pytest.raises(Exception, match="syntax error"):
        await asyncio.to_thread(migrate.upgrade, empty_database_url)

    assert await asyncio.to_thread(migrate.current, empty_database_url) == "0002"
    assert {name for kind, name in await schema_of(empty_database_url) if kind == "option"} == {
        "half_0001",
        "one",
        "half_0002",
        "two",
    }


def test_an_unavailable_database_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        migrate.upgrade(f"postgresql://postgres@/postgres?host={tmp_path}")


def numbered() -> list[str]:
    return sorted(path.name[:4] for path in (migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))


async def schema_of(url: str) -> Schema:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(SCHEMA)
        return {(row["kind"], row["name"]): row["definition"] for row in rows}
    finally:
        await connection.close()


def only_declared(schema: Schema) -> Schema:
    return {name: definition for name, definition in schema.items() if name[0] in DECLARED}


def engine(url: str) -> AsyncEngine:
    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool)


def differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True, "include_name": in_public}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), Row.metadata)
    return [difference for difference in found if not is_comment(difference)]


def is_comment(difference: Any) -> bool:
    """Comments are in the migrations alone, and in schema.sql."""
    kind = difference[0][0] if isinstance(difference, list) else difference[0]
    return kind in ("modify_comment", "add_table_comment", "remove_table_comment")


def in_public(name: str | None, kind: str, parents: object) -> bool:
    return not (kind == "table" and name == "alembic_version")
