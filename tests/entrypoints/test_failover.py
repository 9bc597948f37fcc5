"""Calls and probes during a database failover."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from adapters.postgres.pool import Pool, create_pool
from entrypoints.http.dependencies import SHARED_FOR
from tests.adapters.postgres.demotion import demote
from tests.contracts.postgres_world import PostgresWorld
from tests.entrypoints.postgres_service import PostgresService
from tests.entrypoints.service import Browser
from tests.entrypoints.test_after_commit import APPLICATION, SIGNATURE

PROBES = ("/api/health", "/api/health/ready")


@pytest.fixture
async def service(own_database_url: str) -> AsyncIterator[PostgresService]:
    async with create_pool(own_database_url, max_size=2) as pool:
        service = PostgresService(PostgresWorld(pool), own_database_url)
        yield service
        await service.container.close()


@pytest.fixture
async def pool(service: PostgresService) -> Pool:
    """The service's own."""
    return await service.container.get(Pool)


@pytest.fixture
async def browser(service: PostgresService) -> AsyncIterator[Browser]:
    ann = await service.world.user("ann")
    async with service.browser(ann) as browser:
        yield browser


def result(response: httpx.Response) -> tuple[int, str | None]:
    error = response.json().get("error")
    return response.status_code, error and error["code"]


OUT = (503, "DATABASE_UNAVAILABLE")


@pytest.mark.parametrize("key", [None, "a-key"])
async def test_a_failover_refuses_one_write(browser: Browser, pool: Pool, key: str | None) -> None:
    async def upgrade() -> httpx.Response:
        return await browser.post("/api/users/me/upgrade-to-artist", headers=keyed, data=APPLICATION, files=SIGNATURE)

    keyed = {"Idempotency-Key": key} if key else {}
    await demote(pool)

    assert result(await upgrade()) == OUT
    assert result(await upgrade()) == (201, None)


@pytest.mark.parametrize("path", PROBES)
async def test_probes_detect_a_read_only_server_and_its_successor(
    service: PostgresService, browser: Browser, pool: Pool, path: str
) -> None:
    await demote(pool)

    assert result(await browser.get(path)) == OUT
    service.world.clock.advance(SHARED_FOR)
    assert result(await browser.get(path)) == (200, None)
    assert result(await browser.patch("/api/users/me", json={"bio": "still here"})) == (200, None)


async def test_without_a_writable_server_calls_are_503(
    service: PostgresService, browser: Browser, pool: Pool, own_database_url: str
) -> None:
    operator: asyncpg.Connection[Any] = await asyncpg.connect(own_database_url)
    name = await operator.fetchval("SELECT current_database()")
    await demote(pool)
    await operator.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')

    for _ in range(2):
        for path in PROBES:
            assert result(await browser.get(path)) == OUT
        assert result(await browser.patch("/api/users/me", json={"bio": "not now"})) == OUT
    checks = (await browser.get("/api/health")).json()["error"]["details"]["checks"]
    assert checks["database"] == "unreachable"
    assert (await browser.get("/api/health/live")).status_code == 200

    await operator.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await operator.close()
    service.world.clock.advance(SHARED_FOR)
    for path in PROBES:
        assert result(await browser.get(path)) == (200, None)
    assert result(await browser.patch("/api/users/me", json={"bio": "again"})) == (200, None)
