import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from entrypoints import server
from entrypoints.settings import Settings, read_settings
from tests.support.ports import free_port

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """Answers at `/slow` when the test allows it, and never ends at `/endless`."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cut_off = asyncio.Event()
        self.waiting = 0

    async def __call__(self, scope: dict[str, Any], _receive: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            if scope["path"] == "/slow":
                self.begun.set()
                self.waiting += 1
                await self.go_on.wait()
            while scope["path"] == "/endless":
                self.begun.set()
                await send({"type": "http.response.body", "body": b"on and ", "more_body": True})
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.cut_off.set()
            raise
        await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
def settings() -> Settings:
    return read_settings({"PORT": str(free_port())})


class Serving:
    def __init__(self, application: Application, settings: Settings) -> None:
        self.stop = asyncio.Event()
        self.started = asyncio.Event()
        self.url = settings.api_base_url
        self.stopping = asyncio.Event()
        self.task = asyncio.create_task(
            server.serve(application, settings, stop=self.stop, started=self.started.set, stopping=self.stopping.set)
        )


async def test_the_server_answers_once_it_reports_ready(settings: Settings) -> None:
    serving = Serving(Application(), settings)
    await serving.started.wait()

    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(serving.url)).text == "done"

    serving.stop.set()
    async with asyncio.timeout(5):
        await serving.task


async def test_a_running_request_is_answered_before_shutdown(settings: Settings) -> None:
    application = Application()
    serving = Serving(application, settings)
    await serving.started.wait()

    async with httpx.AsyncClient(trust_env=False) as client:
        request = asyncio.create_task(client.get(f"{serving.url}/slow"))
        await application.begun.wait()
        serving.stop.set()
        await asyncio.sleep(0)
        application.go_on.set()
        answer = await request

    assert answer.text == "done"
    await serving.task


async def test_calls_are_answered_beside_many_open_streams(settings: Settings) -> None:
    application = Application()
    serving = Serving(application, settings)
    await serving.started.wait()

    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(socket.create_connection(("127.0.0.1", settings.port))) for _ in range(1200)]
        for connection in waiting:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(20):
            while application.waiting < len(waiting):  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
            assert (await client.get(serving.url)).text == "done"
        application.go_on.set()
    serving.stop.set()
    await serving.task


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (100, 20_000, (500, 20_000)),
        (1024, 20_000, None),
        (100, 300, (300, 300)),
        (100, resource.RLIM_INFINITY, (500, resource.RLIM_INFINITY)),
        (500, 500, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_the_file_limit_is_raised_for_connections(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: tuple[int, int] | None
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    server._allow_files(500)
    assert asked == ([raised] if raised else [])


@pytest.fixture
async def restored_logging() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    yield
    loop.set_exception_handler(before)


@pytest.mark.usefixtures("restored_logging")
async def test_an_endless_stream_is_cut_off_at_shutdown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SHUTDOWN_TIMEOUT", 0.2)
    application = Application()
    serving = Serving(application, settings)
    await serving.started.wait()

    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(5):
        request = asyncio.create_task(client.get(f"{serving.url}/endless"))
        await application.begun.wait()
        serving.stop.set()
        await serving.task
        await application.cut_off.wait()
        request.cancel()
