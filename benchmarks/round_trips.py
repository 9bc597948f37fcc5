"""How often a call asks the database, counted at the pool of the very application, without the relay beside it."""

from typing import Any, cast

import httpx
from dishka import AsyncContainer

from adapters.postgres.pool import Pool
from benchmarks.scenarios.scenario import Scenario
from entrypoints.http.app import create_app
from entrypoints.settings import Settings

CALLS = 200


async def per_call(container: AsyncContainer, settings: Settings, scenario: Scenario) -> float:
    """Statements, transactions' beginnings and ends and the taking of ids included; the mean of CALLS calls."""
    pool = await container.get(Pool)
    requests = scenario.requests()[:CALLS]
    transport = httpx.ASGITransport(cast("Any", create_app(container, settings)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        before = pool.round_trips
        for request in requests:
            answer = await client.request(
                request.method, request.path, headers=request.headers, content=request.body or None
            )
            if answer.status_code != scenario.expected:
                raise RuntimeError(f"{scenario.name}: {answer.status_code} {answer.text}")
        return (pool.round_trips - before) / len(requests)
