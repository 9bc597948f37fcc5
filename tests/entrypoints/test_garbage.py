"""What a request leaves behind is freed at once, and not by the garbage collector: that would cost a tenth of it."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.entrypoints.service import API, Service
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
    async with service.browser(await world.user()) as browser:
        assert browser.csrf
        cookie = f"sessionid={browser.session}".encode()
        headers = [(b"host", API.encode().removeprefix(b"https://")), (b"cookie", cookie)]
        headers.append((b"x-csrftoken", browser.csrf.encode()))
    left = []
    for _ in range(CALLED):
        assert await _call(service, method, path, headers) == 200
        left.append(gc.collect())
    assert min(left) == 0


async def _call(service: Service, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> int:
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
    }
    await service.app(scope, receive, send)  # type: ignore[arg-type]
    return int(statuses[0])
