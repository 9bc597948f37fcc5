"""A real PostgreSQL: the one that TEST_DATABASE_URL names (as a superuser), else an embedded one for this run.

Migrations run once into a template database; its name carries their digest, so that a lasting server keeps it between
runs. Databases are copies of it (about 50 ms); so are those of what takes long to fill. Between two tests a copy is put
back to its first state in place (about 5 ms, measured; TRUNCATE of thirty tables takes 50): rows are deleted where
there are any, and those that the migrations had written are written again. Sequences go on, so that ids handed out in
blocks stay unique.
"""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from adapters.development.embedded_postgres import EmbeddedPostgres
from adapters.postgres import migrate
from tests.support import shared
from tests.support.fills.fill import Fill, filling

MIGRATIONS = Path(__file__).parents[2] / "migrations"
FILLS = Path(__file__).with_name("fills")
TEMPLATE_LOCK = 7_266_451

# A run's data may die with the machine. Without these two a database is copied in half the time. Commits stay
# synchronous: right after an asynchronous one, VACUUM does not mark its pages as visible to all, and plans differ.
UNSAFE_SETTINGS = ("fsync", "full_page_writes")

REMEMBER_FIRST_STATE = """
CREATE SCHEMA pristine;
CREATE TABLE pristine.statements (statement text NOT NULL);

DO $$
DECLARE
    tab record;
    filled boolean;
    columns text;
BEGIN
    FOR tab IN
        SELECT c.oid, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname = 'public' AND c.relname <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', tab.name) INTO filled;
        CONTINUE WHEN NOT filled;
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
        FROM pg_attribute WHERE attrelid = tab.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE format('CREATE TABLE pristine.%I AS SELECT %s FROM public.%I', tab.name, columns, tab.name);
        INSERT INTO pristine.statements SELECT format(
            'INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM pristine.%I',
            tab.name, columns, columns, tab.name
        );
    END LOOP;
END $$;

-- As a replica no trigger and no foreign key is in the way.
CREATE FUNCTION pristine.restore() RETURNS void LANGUAGE plpgsql
SET session_replication_role = 'replica' SET lock_timeout = '1s' AS $$
DECLARE
    name text;
    filled boolean;
    statement text;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname = 'public' AND c.relname <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
        IF filled THEN
            EXECUTE format('DELETE FROM public.%I', name);
        END IF;
    END LOOP;
    FOR statement IN SELECT s.statement FROM pristine.statements s LOOP
        EXECUTE statement;
    END LOOP;
END $$;
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server on which tests create databases."""

    url: str

    def database(self, name: str) -> str:
        """Return the URL of one of its databases."""
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    async def create(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy, and return its URL."""
        connection = await asyncpg.connect(self.url)
        try:
            copied = f' TEMPLATE "{template}" STRATEGY file_copy' if template else ""
            await connection.execute(f'CREATE DATABASE "{name}"{copied}')
        finally:
            await connection.close()
        return self.database(name)

    async def drop(self, name: str) -> None:
        """Drop a database, even if clients are connected."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()


def server() -> Server:
    """Return the server of this run."""
    if named := os.environ.get("TEST_DATABASE_URL"):
        return Server(named.replace("postgresql+asyncpg://", "postgresql://"))
    return Server(shared.once("postgres", _start_embedded)["url"])


async def migrated_template(server: Server) -> str:
    """Return the name of a database on which all migrations have run, after running them if necessary."""

    async def make(url: str) -> None:
        await asyncio.to_thread(migrate.upgrade, url)
        await remember_first_state(url)

    return await _template(server, f"style_license_template_{_digest(MIGRATIONS)}", None, make)


async def filled_template(server: Server, what: Callable[[Fill], Awaitable[None]]) -> str:
    """Return the name of a migrated database with a fill in it, after filling it if necessary."""

    async def make(url: str) -> None:
        async with filling(url) as fill:
            await what(fill)

    name = f"style_license_{what.__name__}_{_digest(MIGRATIONS, FILLS)}"
    return await _template(server, name, await migrated_template(server), make)


@asynccontextmanager
async def filled_copy(server: Server, what: Callable[[Fill], Awaitable[None]]) -> AsyncIterator[str]:
    """The URL of a migrated database with a fill in it, which is dropped afterwards."""
    name = f"test_{what.__name__}_{uuid4().hex[:8]}"
    try:
        yield await server.create(name, await filled_template(server, what))
    finally:
        await server.drop(name)


async def _template(server: Server, name: str, of: str | None, make: Callable[[str], Awaitable[None]]) -> str:
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            return name
        unfinished = f"{name}_unfinished"
        await server.drop(unfinished)
        await make(await server.create(unfinished, of))
        await connection.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
        return name
    finally:
        await connection.close()


async def remember_first_state(url: str) -> None:
    """Make a database, and every copy of it, able to return to its present state."""
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT current_setting('is_superuser')::boolean"):
            raise RuntimeError("TEST_DATABASE_URL has to name a superuser: tests make databases and empty tables.")
        await connection.execute(REMEMBER_FIRST_STATE)
    finally:
        await connection.close()


async def restore_first_state(connection: "asyncpg.Connection[Any]") -> None:
    """Reset a database; a transaction that a test has left open is terminated, and the test fails."""
    try:
        await connection.execute("SELECT pristine.restore()")
    except asyncpg.LockNotAvailableError:
        open_ones = await connection.fetch(
            "SELECT pid, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND xact_start IS NOT NULL"
        )
        await connection.fetch("SELECT pg_terminate_backend(pid, 1000) FROM unnest($1::int[]) pid", _pids(open_ones))
        await connection.execute("SELECT pristine.restore()")
        queries = "; ".join(row["query"] for row in open_ones)
        raise AssertionError(f"The test has left transactions open, last: {queries}") from None


def _pids(rows: list[Mapping[str, Any]]) -> list[int]:
    return [row["pid"] for row in rows]


def _digest(*directories: Path) -> str:
    digest = hashlib.sha256()
    for directory in directories:
        for file in sorted(directory.rglob("*.py")):
            digest.update(file.relative_to(directory).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _start_embedded(directory: Path) -> Mapping[str, str]:
    data = directory / "data"
    url = EmbeddedPostgres(data).start()
    pid = int((data / "postmaster.pid").read_text().split()[0])
    shared.stop_process_at_end(pid, signal.SIGINT)  # "fast": waits for no client
    with (data / "postgresql.conf").open("a") as settings:
        settings.writelines(f"{setting} = off\n" for setting in UNSAFE_SETTINGS)
    os.kill(pid, signal.SIGHUP)
    return {"url": url}
