import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from adapters.postgres import pool as settings
from adapters.postgres.connections import ConnectionLost
from adapters.postgres.pool import Pool, create_pool
from core.ports.database import DatabaseUnavailable

PID = "SELECT pg_backend_pid() AS pid"
SLEEPS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database())
"""


async def test_times_are_utc_and_json_is_plain_data(pool: Pool) -> None:
    at = datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    data = {"a": [1, 2.5, None, True, "수채화"], "b": {}}

    row = await pool.fetchrow("SELECT $1::timestamptz AS at, $2::jsonb AS data, $1::text AS shown", at, data)

    assert row is not None
    assert (row["at"], row["at"].tzinfo, row["shown"]) == (at, UTC, "2026-01-01 00:00:00+00")
    assert row["data"] == data


async def test_connections_are_reused_up_to_the_pool_size(pool: Pool) -> None:
    one_by_one = {await pid(pool) for _ in range(5)}
    at_once = await asyncio.gather(*(pool.fetch("SELECT pg_backend_pid() AS pid, pg_sleep(0.01)") for _ in range(50)))

    assert len(one_by_one) == 1
    assert len({rows[0]["pid"] for rows in at_once}) <= 8


async def test_the_pool_works_after_a_refused_statement(pool: Pool) -> None:
    first = await pid(pool)

    for _ in range(20):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await pool.fetch("SELECT 1 / 0")

    assert await pid(pool) == first


async def test_a_cancelled_statement_ends_at_the_server(pool: Pool, sql: "asyncpg.Connection[Any]") -> None:
    for _ in range(20):
        sleeping = asyncio.create_task(pool.fetch("SELECT pg_sleep(60) /* cancelled */"))
        while not await sql.fetchval(SLEEPS):  # noqa: ASYNC110
            await asyncio.sleep(0)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        assert not await sql.fetchval(SLEEPS)

    assert await pid(pool) > 0


async def test_a_broken_connection_is_reported_and_replaced(pool: Pool, sql: "asyncpg.Connection[Any]") -> None:
    broken = await pid(pool)
    with pytest.raises(ConnectionLost):
        await pool.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
    again = await pid(pool)
    await sql.fetchval("SELECT pg_terminate_backend($1, 10000)", again)

    assert await pid(pool) not in (broken, again)


async def test_a_connection_unused_for_long_is_replaced(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await pid(pool)
    monkeypatch.setattr(settings, "IDLE_LIMIT", 0.0)

    assert await pid(pool) != first


async def test_a_server_that_does_not_answer_is_unavailable(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    await pid(pool)
    monkeypatch.setattr(settings, "RESPONSE_TIMEOUT", 0.05)

    with pytest.raises(ConnectionLost):
        await pool.fetch("SELECT pg_sleep(0.5)")

    monkeypatch.undo()
    assert await pid(pool) > 0


async def test_a_statement_ends_when_its_caller_is_cancelled(
    database_url: str, sql: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.SETTINGS, "client_connection_check_interval", "10ms")
    monkeypatch.setattr(settings, "RESPONSE_TIMEOUT", 0.05)

    async with create_pool(database_url) as leaving:
        with pytest.raises(ConnectionLost):
            await leaving.fetch("SELECT pg_sleep(60)")

    while await sql.fetchval(SLEEPS):  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_a_slow_statement_times_out(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.SETTINGS, "statement_timeout", "50ms")

    async with create_pool(database_url) as impatient:
        with pytest.raises(DatabaseUnavailable) as late:
            await impatient.fetch("SELECT pg_sleep(60)")

    assert not isinstance(late.value, ConnectionLost)


async def test_transactions_leave_one_connection_for_statements(database_url: str) -> None:
    async with create_pool(database_url, max_size=2) as small, asyncio.timeout(10):
        begun = await small.begin()
        second = asyncio.create_task(small.begin())
        for _ in range(3):
            await pid(small)
        assert not second.done()

        await begun.rollback()
        await (await second).commit()


async def test_closing_waits_for_running_statements(database_url: str) -> None:
    async with create_pool(database_url) as closing:
        query = asyncio.create_task(closing.fetch("SELECT pg_sleep(0.05), 7 AS seven"))
        await asyncio.sleep(0)

    assert (await query)[0]["seven"] == 7


async def test_closing_has_a_timeout(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SHUTDOWN_TIMEOUT", 0.05)

    async with create_pool(database_url) as closing:
        begun = await closing.begin()

    with pytest.raises(DatabaseUnavailable):
        await begun.fetch("SELECT 1")


async def test_reachability_is_reported(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pool.reachable()

    async with create_pool(f"postgresql://postgres@/postgres?host={tmp_path}") as nowhere:
        assert not await nowhere.reachable()
        with pytest.raises(DatabaseUnavailable):
            await nowhere.fetch("SELECT 1")
        with pytest.raises(DatabaseUnavailable):
            await nowhere.begin()


async def pid(pool: Pool) -> int:
    row = await pool.fetchrow(PID)
    assert row is not None
    number: int = row["pid"]
    return number
