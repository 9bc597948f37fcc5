"""Request bodies over real connections: unread, cut off, slow, or announced and never sent."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from entrypoints.http import uploads_in_progress
from entrypoints.http.middleware import bodies
from entrypoints.http.routes import webhooks
from entrypoints.http.state import state_of
from tests.entrypoints.connections import ENOUGH, Connection, Server, serving
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld

MANY = 20
"""Connections at once: what the server does with a connection may depend on which of its threads is sooner."""


@pytest.fixture(autouse=True)
def long_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not closed at once fails a test."""
    monkeypatch.setattr(bodies, "CLOSED_WITHIN", 2 * ENOUGH)


@pytest.fixture
async def service(world: MemoryWorld) -> AsyncIterator[Service]:
    service = Service(world, rate_limits=None)
    yield service
    await service.container.close()


@pytest.fixture
async def running(service: Service) -> AsyncIterator[Server]:
    async with serving(service.app, service.settings) as running:
        yield running


class Sums:
    """Answers with the number of bytes received, at `/early` before reading any."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.begun = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.set()
        size, more = 0, scope["path"] != "/early"
        try:
            while more:
                message = await receive()
                size, more = size + len(message["body"]), message["more_body"]
        except Exception as error:
            self.failures.append(error)
            raise
        body = str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


@pytest.fixture
def sums() -> Sums:
    return Sums()


@pytest.fixture
async def summing(sums: Sums, service: Service) -> AsyncIterator[Server]:
    async with serving(sums, service.settings) as running:
        yield running


FORM = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n%b\r\n' % (b"x" * 70_000)
"""Refused half-way: the field is too long."""


@pytest.mark.parametrize("size", [60_000, 130_000, 300_000])
@pytest.mark.parametrize("whole", [True, False], ids=["at once", "in pieces"])
@pytest.mark.parametrize(
    ("call", "headers", "begins", "status"),
    [
        ("POST /api/nothing", [], b"", 404),
        ("POST /api/generations", [], b"", 401),
        ("PUT /api/generations", [], b"", 405),
        ("GET /api/auth/me", [], b"", 401),
        ("POST /api/webhooks/inference/failed", ["ai_server"], b"", 413),
        ("PATCH /api/users/me", ["session", "Content-Type: text/plain"], b"", 415),
        ("PATCH /api/users/me", ["session", "Content-Type: multipart/form-data; boundary=b"], FORM, 413),
        ("GET /api/health/live", [], b"", 200),
    ],
)
async def test_a_connection_stays_usable_after_an_unread_body(
    service: Service,
    world: MemoryWorld,
    running: Server,
    call: str,
    headers: list[str],
    begins: bytes,
    status: int,
    whole: bool,
    size: int,
) -> None:
    if status == 413 and not begins:
        size = webhooks.MAX_BODY + 1
    async with service.browser(await world.user()) as browser:
        known = {
            "session": [f"Cookie: sessionid={browser.session}", f"X-CSRFToken: {browser.csrf}"],
            "ai_server": [f"{name}: {value}" for name, value in service.ai_server("inference-server").items()],
        }
    sent = [line for header in headers for line in known.get(header, [header])]
    body = begins + b"x" * (size - len(begins))
    pieces = [body] if whole else [body[at : at + 9_000] for at in range(0, len(body), 9_000)]
    async with running.connection() as connection:
        for _ in range(8):
            await connection.begin(call, *sent, length=len(body))
            for piece in pieces:
                await connection.send(piece)
            refused = await connection.answer()
            assert (refused.status, refused.closes) == (status, False)
            await connection.begin("GET /api/health/live")
            assert (await connection.answer()).status == 200


async def test_an_unread_chunked_body_keeps_the_connection_usable(running: Server) -> None:
    async with running.connection() as connection:
        for _ in range(8):
            await connection.begin("POST /api/nothing", "Transfer-Encoding: chunked")
            for _ in range(10):
                await connection.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            await connection.send(b"0\r\n\r\n")
            refused = await connection.answer()
            assert (refused.status, refused.closes) == (404, False)


async def test_a_refusal_of_a_large_form_reaches_the_client(running: Server) -> None:
    async with running.connection() as connection:
        await connection.begin("POST /api/styles", "Content-Type: multipart/form-data; boundary=b", length=20_000_000)
        for _ in range(20):
            await connection.send(b"x" * 1_000_000)
        assert (await connection.answer()).status == 401
        await connection.begin("GET /api/health/live")
        assert (await connection.answer()).status == 200


async def test_a_body_too_large_to_discard_closes_the_connection(running: Server) -> None:
    async with running.connection() as connection:
        await connection.begin("POST /api/nothing", length=bodies.MAX_REST + 1)
        refused = await connection.answer()
        assert (refused.status, refused.closes) == (404, True)
        assert await connection.closed()


async def test_endless_chunks_close_the_connection(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_REST", 100_000)
    async with running.connection() as connection:
        await connection.begin("POST /api/nothing", "Transfer-Encoding: chunked")
        await connection.send(b"186a1\r\n" + b"x" * 100_001 + b"\r\n")
        refused = await connection.answer()
        assert (refused.status, refused.closes) == (404, True)


async def test_a_refusal_precedes_100_continue(running: Server) -> None:
    async with running.connection() as connection:
        await connection.begin("POST /api/nothing", "Expect: 100-continue", length=10)
        refused = await connection.answer()
        assert (refused.status, refused.closes) == (404, True)
        assert await connection.closed()


async def test_a_read_body_gets_100_continue(summing: Server) -> None:
    async with summing.connection() as connection:
        await connection.begin("POST /", "Expect: 100-continue", length=5)
        assert (await connection.answer()).status == 100
        await connection.send(b"hello")
        answer = await connection.answer()
        assert (answer.body, answer.closes) == (b"5", False)


CALLS = [
    ("POST /api/generations", ["session", "Content-Type: application/json"]),
    ("PATCH /api/users/me", ["session", "Content-Type: multipart/form-data; boundary=b"]),
    ("POST /api/notifications/read-all", ["session", "Idempotency-Key: a"]),
    ("POST /api/webhooks/toss/payment", ["Content-Type: application/json"]),
]
"""Each way of reading a body."""


async def known_headers(service: Service, world: MemoryWorld, headers: list[str]) -> list[str]:
    async with service.browser(await world.user()) as browser:
        session = [f"Cookie: sessionid={browser.session}", f"X-CSRFToken: {browser.csrf}"]
    return [line for header in headers for line in (session if header == "session" else [header])]


@pytest.mark.parametrize(("call", "headers"), CALLS)
async def test_a_body_that_does_not_arrive_frees_the_connection(
    service: Service,
    world: MemoryWorld,
    running: Server,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    headers: list[str],
) -> None:
    sent = await known_headers(service, world, headers)
    monkeypatch.setattr(bodies, "RECEIVE_TIMEOUT", 0.2)
    monkeypatch.setattr(uploads_in_progress, "PER_USER", MANY)

    async def stall() -> None:
        async with running.connection() as connection:
            await connection.begin(call, *sent, length=1000)
            await connection.send(b"x")
            refused = await connection.answer()
            assert (refused.status, refused.closes) == (408, True)
            assert msgspec.json.decode(refused.body)["error"]["code"] == "REQUEST_TIMEOUT"
            assert await connection.closed()

    await asyncio.gather(*(stall() for _ in range(MANY)))


async def test_an_unread_body_that_does_not_arrive_frees_the_connection(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "RECEIVE_TIMEOUT", 0.2)

    async def stall(method: str) -> None:
        async with running.connection() as connection:
            await connection.begin(f"{method} /api/nothing", length=1000)
            await connection.send(b"x")
            refused = await connection.answer(content=method != "HEAD")
            assert (refused.status, refused.closes) == (404, True)
            assert await connection.closed()

    await asyncio.gather(*(stall(method) for _ in range(MANY) for method in ("POST", "GET", "HEAD")))


async def test_discarding_a_body_has_a_time_limit(summing: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "REST_TIME", 0.3)
    async with summing.connection() as connection:
        await connection.begin("POST /early", length=1_000_000)
        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(drip(connection, size=20_000, pause=0.02))
            refused = await connection.answer()
            dripping.cancel()
        assert (refused.status, refused.closes) == (200, True)


async def drip(connection: Connection, *, size: int, pause: float) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await connection.send(b"x" * size)
            await asyncio.sleep(pause)


async def test_a_dripping_body_times_out(summing: Server, sums: Sums, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "RECEIVE_TIMEOUT", 0.4)
    async with summing.connection() as connection:
        await connection.begin("POST /", length=1_000_000)
        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(drip(connection, size=1, pause=0.02))
            refused = await connection.answer()
            dripping.cancel()
        assert (refused.status, refused.closes) == (408, True)
        assert await connection.closed()
    assert [type(failure) for failure in sums.failures] == [bodies.BodyTooSlow]


async def test_a_slow_steady_body_is_accepted(summing: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes several times the patience, at several times the least rate."""
    monkeypatch.setattr(bodies, "RECEIVE_TIMEOUT", 0.5)
    monkeypatch.setattr(bodies, "LEAST_RATE", 10_000)
    async with summing.connection() as connection:
        await connection.begin("POST /", length=100_000)
        for _ in range(40):
            await connection.send(b"x" * 2_500)
            await asyncio.sleep(0.05)
        answer = await connection.answer()
        assert (answer.status, answer.body, answer.closes) == (200, b"100000", False)


async def test_the_body_timeout_excludes_processing_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what the service takes to work on a part."""
    monkeypatch.setattr(bodies, "RECEIVE_TIMEOUT", 0.3)
    parts = [{"type": "http.request", "body": b"x", "more_body": True}] * 9
    parts.append({"type": "http.request", "body": b"x", "more_body": False})

    async def slow(_scope: Any, receive: Any, _send: Any) -> None:
        for _ in range(10):
            await receive()
            await asyncio.sleep(0.05)

    async def receive() -> Any:
        await asyncio.sleep(0.002)
        return parts.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope: Any = {"type": "http", "headers": [(b"content-length", b"10")]}
    await bodies.Bodies(slow)(scope, receive, send)
    assert not parts


@pytest.mark.parametrize(("call", "headers"), CALLS)
async def test_a_disconnect_during_an_upload_is_not_an_error(
    service: Service,
    world: MemoryWorld,
    running: Server,
    caplog: pytest.LogCaptureFixture,
    call: str,
    headers: list[str],
) -> None:
    sent = await known_headers(service, world, headers)
    caplog.set_level(logging.INFO)
    caplog.clear()
    logged = asyncio.Event()

    class SetsEvent(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            logged.set()

    handler, access = SetsEvent(), logging.getLogger("access")
    access.addHandler(handler)
    try:
        async with running.connection() as connection:
            await connection.begin(call, *sent, length=1000)
            await connection.send(b"x")
        async with asyncio.timeout(ENOUGH):
            await logged.wait()
    finally:
        access.removeHandler(handler)

    method, path = call.split()
    (record,) = [record for record in caplog.records if record.name == "access"]
    assert (record.levelno, record.fields["status"]) == (logging.INFO, 499)  # type: ignore[attr-defined]
    assert [other for other in caplog.records if other.levelno > logging.INFO or other.exc_info] == []
    counted = state_of(service.app).metrics.registry.get_sample_value
    assert (counted("http_requests_total", {"method": method, "route": path, "status": "499"}) or 0) >= 1
    assert counted("http_requests_total", {"method": method, "route": path, "status": "500"}) is None


async def test_a_disconnect_without_an_event_is_handled(summing: Server, sums: Sums) -> None:
    async with summing.connection() as connection:
        await connection.begin("POST /", length=1000)
        await sums.begun.wait()
    async with asyncio.timeout(ENOUGH):
        while not sums.failures:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
    assert [type(failure) for failure in sums.failures] == [bodies.ClientGone]
