"""Which errors make a session unusable, and the hosts of a URL."""

import asyncio
from typing import Any

import asyncpg
import pytest

from adapters.postgres.connections import ConnectionLost, ServerUnusable, SessionUnusable, connect, each_host
from adapters.postgres.pool import Pool, create_pool
from core.ports.database import DatabaseUnavailable

PID = "SELECT pg_backend_pid() AS pid"
RAISE = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$"


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("08000", ConnectionLost),
        ("08006", ConnectionLost),
        ("08P01", ConnectionLost),
        ("57P01", ConnectionLost),
        ("57P02", ConnectionLost),
        ("57P03", ConnectionLost),
        ("57P04", ConnectionLost),
        ("57P05", ConnectionLost),
        ("25P03", ConnectionLost),
        ("25P04", ConnectionLost),
        ("25006", ServerUnusable),
        ("26000", SessionUnusable),
        ("53000", SessionUnusable),
        ("53100", SessionUnusable),
        ("53200", SessionUnusable),
        ("53300", SessionUnusable),
        ("58030", SessionUnusable),
    ],
)
async def test_an_unusable_session_is_replaced(pool: Pool, code: str, meaning: type[DatabaseUnavailable]) -> None:
    pids = {row["pid"] for row in await pool.fetch(PID)}

    with pytest.raises(DatabaseUnavailable) as raised:
        await pool.fetch(RAISE.format(code))

    assert type(raised.value) is meaning
    assert {row["pid"] for row in await pool.fetch(PID)}.isdisjoint(pids)


@pytest.mark.parametrize("code", ["57014", "40001", "40P01"])
async def test_a_retryable_error_keeps_the_session(pool: Pool, code: str) -> None:
    before = await pool.fetch(PID)

    with pytest.raises(DatabaseUnavailable) as raised:
        await pool.fetch(RAISE.format(code))

    assert type(raised.value) is DatabaseUnavailable
    assert await pool.fetch(PID) == before


@pytest.mark.parametrize("code", ["22012", "42P01", "P0001", "XX000"])
async def test_a_failed_statement_keeps_the_session(pool: Pool, code: str) -> None:
    before = await pool.fetch(PID)

    with pytest.raises(asyncpg.PostgresError):
        await pool.fetch(RAISE.format(code))

    assert await pool.fetch(PID) == before


async def test_a_session_without_its_prepared_statements_is_replaced(pool: Pool) -> None:
    await pool.fetch("SELECT 1 AS one")
    await pool.fetch("DEALLOCATE ALL")

    with pytest.raises(SessionUnusable):
        await pool.fetch("SELECT 1 AS one")

    assert (await pool.fetch("SELECT 1 AS one"))[0]["one"] == 1


async def test_a_database_that_refuses_connections_is_unavailable(postgres_server: Any) -> None:
    async with create_pool(postgres_server.database("not_there")) as nowhere:
        with pytest.raises(DatabaseUnavailable):
            await nowhere.fetch("SELECT 1")
        assert not await nowhere.reachable()


@pytest.mark.parametrize(
    ("dsn", "each"),
    [
        ("postgresql://u:p@one/db?x=1", ["postgresql://u:p@one/db?x=1"]),
        (
            "postgresql://u:p%40@one:1,two:2/db?sslmode=require",
            ["postgresql://u:p%40@one:1/db?sslmode=require", "postgresql://u:p%40@two:2/db?sslmode=require"],
        ),
        (
            "postgresql://u@/db?host=/a%20b,two&port=5433",
            ["postgresql://u@/db?host=/a%20b&port=5433", "postgresql://u@/db?host=two&port=5433"],
        ),
        (
            "postgresql://u@/db?host=one,two&port=1,2&sslmode=require",
            [
                "postgresql://u@/db?host=one&port=1&sslmode=require",
                "postgresql://u@/db?host=two&port=2&sslmode=require",
            ],
        ),
        ("postgresql://u@/db", ["postgresql://u@/db"]),
    ],
)
def test_every_host_of_a_url_is_parsed(dsn: str, each: list[str]) -> None:
    assert each_host(dsn) == each


async def test_a_connection_is_closed_if_its_caller_is_cancelled_as_it_is_established(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    established: list[asyncpg.Connection[Any]] = []
    original = asyncpg.connect

    async def connect_and_cancel(*args: Any, **options: Any) -> "asyncpg.Connection[Any]":
        established.append(await original(*args, **options))
        caller.cancel()
        return established[0]

    monkeypatch.setattr(asyncpg, "connect", connect_and_cancel)
    caller = asyncio.create_task(connect(database_url, within=5))
    with pytest.raises(asyncio.CancelledError):
        await caller

    await asyncio.sleep(0)
    assert [connection.is_closed() for connection in established] == [True]
