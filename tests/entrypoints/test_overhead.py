"""What each request would pay for without need, in counts: frameworks come back to it unnoticed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from litestar.datastructures import Headers, State

from tests.entrypoints.bare_calls import call, headers_of
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld

CALLS = [("GET", "/api/auth/me"), ("GET", "/api/generations/feed"), ("GET", "/api/tokens/balance")]

Count = Callable[[type, str], list[None]]


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts the calls of a method from now on."""

    def counted(type_: type, name: str) -> list[None]:
        calls: list[None] = []
        counted = getattr(type_, name)

        def method(*args: Any, **kwargs: Any) -> Any:
            calls.append(None)
            return counted(*args, **kwargs)

        monkeypatch.setattr(type_, name, method)
        return calls

    return counted


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_read_makes_no_copies_of_headers_and_state(
    service: Service, world: MemoryWorld, count: Count, method: str, path: str
) -> None:
    headers = await headers_of(service, await world.user())
    copies = count(Headers, "__init__"), count(State, "__init__")
    assert await call(service, method, path, headers) == 200
    assert [len(made) for made in copies] == [0, 0]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_read_starts_no_task(service: Service, world: MemoryWorld, method: str, path: str) -> None:
    headers = await headers_of(service, await world.user())
    started: list[str] = []
    loop = asyncio.get_running_loop()

    def start(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        started.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(start)
    try:
        assert await call(service, method, path, headers) == 200
    finally:
        loop.set_task_factory(None)
    assert started == []
