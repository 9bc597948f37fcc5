"""Statements of each call, counted at the application's pool, without a relay."""

import asyncio
from typing import Any, cast

import httpx

from adapters.postgres.pool import Pool
from benchmarks.load import Unexpected
from benchmarks.scenarios.scenario import Request, Scenario
from entrypoints.container import create_container
from entrypoints.http.app import create_app
from entrypoints.settings import Settings

CALLS = 200


def per_call(settings: Settings, scenario: Scenario) -> float:
    """Statements, transactions' beginnings and ends and the taking of ids included; the mean of up to CALLS calls."""
    requests = scenario.requests()[:CALLS]
    return asyncio.run(_count(settings, requests, scenario.expected)) / len(requests)


async def _count(settings: Settings, requests: list[Request], expected: int) -> int:
    container = create_container(settings)
    try:
        pool = await container.get(Pool)
        transport = httpx.ASGITransport(cast("Any", create_app(container, settings)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            before = pool.round_trips
            for request in requests:
                answer = await client.request(
                    request.method, request.path, headers=request.headers, content=request.body or None
                )
                if answer.status_code != expected:
                    raise Unexpected(f"{request.path}: {answer.status_code} {answer.text}")
            return pool.round_trips - before
    finally:
        await container.close()
