"""Broken sessions and failed servers, and their replacement."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import psutil
import pytest

from adapters.development.embedded_postgres import EmbeddedPostgres
from adapters.postgres import listener as listening
from adapters.postgres import migrate
from adapters.postgres.connections import ConnectionLost, ServerUnusable
from adapters.postgres.listener import Listener
from adapters.postgres.pool import Pool, create_pool
from core.accounts.sign_in import SignIn
from core.ports.database import DatabaseUnavailable
from core.ports.identity_provider import Identity
from core.ports.transaction import OutcomeUnknown
from tests.adapters.postgres.demotion import CONNECTIONS, demote
from tests.contracts.overlap import commit
from tests.contracts.postgres_world import PostgresWorld
from tests.support.scope import Scope

TIMEOUT = 30.0
"""Seconds."""
ANN = Identity("google", "1", "ann@example.com", "Ann", None)
PID = "SELECT pg_backend_pid() AS pid"
OPEN = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid = ANY($1::int[])
"""


@pytest.fixture
async def pool(own_database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(own_database_url, max_size=CONNECTIONS + 1) as opened:
        yield opened


@pytest.fixture
async def sql(own_database_url: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    connection = await asyncpg.connect(own_database_url)
    yield connection
    await connection.close()


@pytest.fixture
def world(pool: Pool) -> PostgresWorld:
    return PostgresWorld(pool)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not one of pytest's directories: those are closed to the user as whom it runs for root.
    with TemporaryDirectory(prefix="style-license-") as directory:
        yield Path(directory)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """One for tests that change the settings of a whole server."""
    database = EmbeddedPostgres(folder / "primary")
    yield database
    database.stop()


# --- read-only sessions -----------------------------------------------------------------------------------------------


async def test_after_one_refused_write_all_sessions_are_replaced(
    pool: Pool, world: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    before = await demote(pool)

    with pytest.raises(DatabaseUnavailable) as refused:
        await world.use_case(SignIn)(ANN, user_agent="")

    assert not isinstance(refused.value, OutcomeUnknown)
    async with asyncio.timeout(TIMEOUT):
        while await sql.fetchval(OPEN, before):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
    assert await sql.fetchval("SELECT count(*) FROM users") == 0
    await asyncio.gather(*(world.use_case(SignIn)(ANN, user_agent="") for _ in range(5)))
    assert await sql.fetchval("SELECT count(*) FROM users") == 1


async def test_a_single_statement_on_a_read_only_server_is_database_unavailable(
    pool: Pool, world: PostgresWorld
) -> None:
    ann = await world.user("ann")
    await demote(pool)

    with pytest.raises(ServerUnusable):
        await commit(world, lambda ports: ports.users.save(ann))
    await commit(world, lambda ports: ports.users.save(ann))


OPEN_WRITES = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE datname = current_database() AND mode = 'RowExclusiveLock'
"""


async def test_a_transaction_on_a_read_only_server_writes_nothing(
    pool: Pool, world: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")

    async def work(ports: Scope) -> None:
        await ports.users.save(ann.become_admin(at=world.clock.now()))
        await ports.users.of_id(bob.id)  # sends the write
        # What comes meanwhile: an open transaction itself stays as it has begun.
        await ports.transaction.fetch("SET TRANSACTION READ ONLY")  # type: ignore[attr-defined]
        await ports.users.save(bob.become_admin(at=world.clock.now()))

    with pytest.raises(ServerUnusable):
        await commit(world, work)

    assert await sql.fetchval("SELECT count(*) FROM users WHERE role = 'admin'") == 0
    assert await sql.fetchval(OPEN_WRITES) == 0
    await commit(world, lambda ports: ports.users.save(ann.become_admin(at=world.clock.now())))
    assert await sql.fetchval("SELECT username FROM users WHERE role = 'admin'") == "ann"


async def test_the_pool_keeps_its_size(pool: Pool) -> None:
    for _ in range(CONNECTIONS + 1):
        await demote(pool)
        with pytest.raises(ServerUnusable):
            await pool.fetch("CREATE TABLE refused ()")
        begun = await pool.begin()
        with pytest.raises(ConnectionLost):
            await begun.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
        await begun.rollback()

    async with asyncio.timeout(TIMEOUT):
        begun_all = [await pool.begin() for _ in range(CONNECTIONS)]
        await pool.fetch(PID)
        for begun in begun_all:
            await begun.commit()


async def test_a_session_in_use_is_replaced_on_release(pool: Pool) -> None:
    begun = await pool.begin()
    in_use = (await begun.fetch(PID))[0]["pid"]
    await pool.fetch("SET default_transaction_read_only = on")
    with pytest.raises(ServerUnusable):
        await pool.fetch("CREATE TABLE refused ()")

    assert (await begun.fetch(PID))[0]["pid"] == in_use
    await begun.commit()

    assert (await pool.fetch(PID))[0]["pid"] != in_use


async def test_a_read_only_server_is_not_reachable(
    pool: Pool, own_database_url: str, sql: "asyncpg.Connection[Any]"
) -> None:
    name = own_database_url.partition("?")[0].rpartition("/")[2]
    before = await demote(pool)
    assert not await pool.reachable()
    assert await pool.reachable()
    assert (await pool.fetch(PID))[0]["pid"] not in before

    await demote(pool)
    await sql.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    for _ in range(3):
        assert not await pool.reachable()
        with pytest.raises(DatabaseUnavailable):
            await pool.fetch("SELECT 1")

    await sql.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert await pool.reachable()


async def test_the_listener_leaves_a_read_only_server(
    own_database_url: str, sql: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CHECK_INTERVAL", 0.01)
    name = own_database_url.partition("?")[0].rpartition("/")[2]
    received: asyncio.Queue[str | None] = asyncio.Queue()
    await sql.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    listener = Listener(own_database_url)
    connect = asyncpg.connect
    refused = asyncio.Event()

    async def connects(*args: Any, **options: Any) -> Any:
        try:
            return await connect(*args, **options)
        except asyncpg.InternalClientError:
            refused.set()
            raise

    monkeypatch.setattr(asyncpg, "connect", connects)
    listener.listen("one", received.put_nowait)
    async with asyncio.timeout(TIMEOUT):
        await refused.wait()
        await sql.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        assert await received.get() is None
        # A session cannot be made to read only from outside: what the server answers is.
        monkeypatch.setattr(listening, "IS_READ_ONLY", "SELECT true")
        assert await received.get() is None
    await listener.close()


async def test_migrating_requires_a_writable_server(own_database_url: str, sql: "asyncpg.Connection[Any]") -> None:
    name = own_database_url.partition("?")[0].rpartition("/")[2]
    await sql.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with pytest.raises(DatabaseUnavailable, match="read-write"):
        await asyncio.to_thread(migrate.upgrade, own_database_url)


async def test_a_server_demoted_during_a_migration_is_reported(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text((migrate.MIGRATIONS / "env.py").read_text())
    (versions / "0001_x.py").write_text(
        "from alembic import op\nrevision = '0001'\ndown_revision = None\n"
        "def upgrade():\n    op.execute('SET TRANSACTION READ ONLY')\n    op.execute('CREATE TABLE one ()')\n"
    )
    monkeypatch.setattr(migrate, "MIGRATIONS", tmp_path)
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        await asyncio.to_thread(migrate.upgrade, empty_database_url)


# --- whole servers ----------------------------------------------------------------------------------------------------


async def test_a_server_wide_setting_reaches_pooled_sessions(server: EmbeddedPostgres) -> None:
    async with create_pool(server.start(), max_size=CONNECTIONS + 1) as pool, asyncio.timeout(TIMEOUT):
        await pool.fetch("CREATE TABLE notes (note text)")
        begun = [await pool.begin() for _ in range(CONNECTIONS)]
        await pool.fetch("ALTER SYSTEM SET default_transaction_read_only = on")
        await pool.fetch("ALTER DATABASE postgres SET default_transaction_read_only = off")
        await pool.fetch("SELECT pg_reload_conf()")
        for one in begun:
            while (await one.fetch("SHOW default_transaction_read_only"))[0][0] == "off":  # type: ignore[index]
                pass
            await one.commit()

        with pytest.raises(ServerUnusable):
            await pool.fetch("INSERT INTO notes VALUES ('refused')")
        for number in range(CONNECTIONS + 2):
            await pool.fetch("INSERT INTO notes VALUES ($1)", str(number))
        assert await pool.reachable()
        await pool.fetch("ALTER SYSTEM RESET default_transaction_read_only")


async def test_a_standby_is_skipped_until_promoted(server: EmbeddedPostgres, folder: Path) -> None:
    server.start()
    server.stop()
    subprocess.run(["cp", "-a", folder / "primary", folder / "standby"], check=True)  # noqa: ASYNC221
    (folder / "standby" / "standby.signal").touch()
    other = EmbeddedPostgres(folder / "standby")
    first, second = each_url = [server.start(), other.start()]
    hosts = ",".join(url.partition("?host=")[2] for url in reversed(each_url))  # the standby first
    dsn = f"{first.partition('?')[0]}?host={hosts}"
    try:
        async with create_pool(dsn) as pool, create_pool(second) as recovering, asyncio.timeout(TIMEOUT):
            assert await where(pool) == str(folder / "primary")
            assert not await recovering.reachable()
            with pytest.raises(DatabaseUnavailable):
                await recovering.fetch("SELECT 1")

            server.stop()
            with pytest.raises(DatabaseUnavailable):
                await pool.fetch("SELECT 1")
            assert not await pool.reachable()
            (folder / "primary" / "standby.signal").touch()
            server.start()
            assert not await pool.reachable()

            promoting = await asyncpg.connect(second)
            assert await promoting.fetchval("SELECT pg_promote()")
            await promoting.close()
            assert await where(pool) == str(folder / "standby")
            assert await pool.reachable()
            assert await recovering.reachable()
    finally:
        for data in ("primary", "standby"):
            kill(folder / data)
        (folder / "primary" / "standby.signal").unlink(missing_ok=True)


async def test_an_unresponsive_host_does_not_hide_the_others(server: EmbeddedPostgres) -> None:
    address, directory = server.start().split("?host=")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts connections, no server answers
        port = silent.getsockname()[1]
        async with create_pool(f"{address}?host=127.0.0.1,{directory}&port={port},5432") as pool:
            assert await pool.reachable()


async def where(pool: Pool) -> str:
    [row] = await pool.fetch("SELECT current_setting('data_directory') AS place")
    await pool.fetch("CREATE TABLE IF NOT EXISTS notes (note text)")
    return str(row["place"])


def kill(data: Path) -> None:
    """Stop a server at once, in recovery or not."""
    lock = data / "postmaster.pid"
    if lock.exists():
        postmaster = psutil.Process(int(lock.read_text().splitlines()[0]))
        os.kill(postmaster.pid, signal.SIGQUIT)
        postmaster.wait(timeout=TIMEOUT)
