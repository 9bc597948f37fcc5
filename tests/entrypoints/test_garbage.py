"""What a request leaves behind is freed at once, and not by the garbage collector: that would cost a tenth of it."""

import gc
from collections.abc import Iterator

import pytest

from tests.entrypoints.bare_calls import call, headers_of
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld

CALLS = [("GET", "/api/auth/me"), ("GET", "/api/generations/feed"), ("POST", "/api/notifications/read-all")]

CALLED = 5
"""Times: the first makes what is made once, and other threads of the tests may leave something meanwhile."""


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_request_leaves_no_cyclic_garbage(service: Service, world: MemoryWorld, method: str, path: str) -> None:
    headers = await headers_of(service, await world.user())
    left = []
    for _ in range(CALLED):
        assert await call(service, method, path, headers) == 200
        left.append(gc.collect())
    assert min(left) == 0
