"""Request smuggling: no request that two servers could parse differently hides another one."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest

from tests.entrypoints.connections import ENOUGH, Server, serving
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld

HIDDEN = b"GET /api/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
"""The only request here that is answered with 200."""
LAST = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /api/auth/logout HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /nothing HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = {
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 45\r\n\r\nabc" + HIDDEN, 400),
    "a list of lengths": (POST + b"Content-Length: 3, 45\r\n\r\nabc" + HIDDEN, 400),
    "a length with a sign": (POST + b"Content-Length: +3\r\n\r\nabc" + HIDDEN, 400),
    "a negative length": (POST + b"Content-Length: -3\r\n\r\n" + HIDDEN, 400),
    "a length beyond all numbers": (POST + b"Content-Length: %d\r\n\r\n" % 2**70 + HIDDEN, 400),
    "a length, and chunks": (POST + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN, 401),
    "chunks, and a length": (POST + CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN, 401),
    "an unknown encoding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
    "another encoding last": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
    "two encodings": (POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
    "a space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
    "a vertical tab before the encoding": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
    "a folded line": (POST + b"X-A: a\r\n Content-Length: 45\r\nContent-Length: 0\r\n\r\n" + HIDDEN, 400),
    "a line within a line": (POST + b"X-A: a\rContent-Length: 45\r\n\r\n" + HIDDEN, 400),
    "a NUL in a line": (POST + b"X-A: a\0Content-Length: 45\r\n\r\n" + HIDDEN, 400),
    "chunks without a size": (POST + CHUNKED + b"\r\nzz\r\nabc\r\n0\r\n\r\n" + HIDDEN, 401),
    "chunks beyond all sizes": (POST + CHUNKED + b"\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n" + HIDDEN, 401),
    "chunks in another notation": (POST + CHUNKED + b"\r\n0x3\r\nabc\r\n0\r\n\r\n" + HIDDEN, 401),
    "chunks that end with half a line end": (POST + CHUNKED + b"\r\n3\nabc\n0\n\n" + HIDDEN, 401),
    "half a line end in an extension": (POST + CHUNKED + b"\r\n3;a\n45\r\nabc\r\n0\r\n\r\n" + HIDDEN, 401),
    "a chunk that is longer than it says": (POST + CHUNKED + b"\r\n3\r\nabcXX0\r\n\r\n" + HIDDEN, 401),
    "a body where none is expected": (GET + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, 404),
    "chunks where none are expected": (GET + CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN), 404),
    "an upgrade": (
        GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        404,
    ),
}


@pytest.fixture
async def running(world: MemoryWorld) -> AsyncIterator[Server]:
    service = Service(world, rate_limits=None)
    async with serving(service.app, service.settings) as running:
        yield running
    await service.container.close()


@pytest.mark.parametrize(("sent", "status"), SMUGGLED.values(), ids=SMUGGLED)
async def test_a_smuggled_request_is_not_answered(running: Server, sent: bytes, status: int) -> None:
    answered = await answers(running, sent + LAST)
    assert answered[0] == status
    assert 200 not in answered


async def test_pipelined_requests_are_answered(running: Server) -> None:
    assert await answers(running, GET + b"\r\n" + HIDDEN + LAST) == [404, 200, 404]


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n", b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n"])
async def test_a_request_has_exactly_one_host(running: Server, hosts: bytes) -> None:
    async with running.connection() as connection:
        await connection.send(b"GET /api/health/live HTTP/1.1\r\n" + hosts + b"\r\n")
        answer = await connection.answer()
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert b'"BAD_REQUEST"' in answer.body


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT example.com:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://example.com/nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http:///api/../nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"TRACE /nothing HTTP/1.1\r\nHost: a\r\nX-Secret: b\r\n\r\n",
        b"GET /nothing\r\n\r\n",
        b"GET /nothing HTTP/1.2\r\nHost: a\r\n\r\n",
        b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 100_000),
        b"GET /nothing HTTP/1.1\r\nHost: a\r\n%b\r\n" % b"".join(b"X-%d: a\r\n" % number for number in range(300)),
        b"GET /nothing HTTP/1.1\r\nHost: a\r\nX-A: %b\r\n\r\n" % (b"a" * 1_000_000),
    ],
)
async def test_proxy_requests_and_malformed_heads_are_refused(running: Server, head: bytes) -> None:
    assert set(await answers(running, head + LAST)) <= {400, 404, 405, 414, 431}


async def answers(server: Server, sent: bytes) -> list[int]:
    """The statuses until the server closes the connection."""
    received = b""
    async with server.connection() as connection, asyncio.timeout(ENOUGH):
        with contextlib.suppress(ConnectionError):  # what is refused unread is not waited for
            await connection.send(sent)
            while data := await connection.reader.read(65536):
                received += data
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)]
