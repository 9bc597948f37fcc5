"""Request bodies: a minimum rate, and the rest of a body after an early response."""

import asyncio
from typing import Any

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

RECEIVE_TIMEOUT = 30.0
"""Seconds that a client may take for each `RECEIVE_TIMEOUT * LEAST_RATE` bytes of a body, or for what is left of it."""
LEAST_RATE = 4 * 1024
"""Bytes a second; a tenth of a slow mobile network."""
MAX_REST = 32 * 1024 * 1024
"""Bytes that are read and dropped after an early response; Cloud Run's largest request."""
REST_TIME = 30.0
"""Maximum seconds for that."""

CLOSED_WITHIN = 5.0
"""Seconds until the server has closed a connection."""

_CLOSE = (b"connection", b"close")


class BodyTooSlow(HTTPException):
    status_code = 408


class ClientGone(HTTPException):
    """The client disconnected before the end of the body. The status is for the log and the metrics."""

    status_code = 499

    def __init__(self) -> None:
        super().__init__("Client Closed Request")  # the library has names of registered statuses only


class Bodies:
    """The outermost layer: `receive` raises BodyTooSlow and ClientGone.

    The server closes a connection whose request was not read to its end. So the rest is read before the answer, up to
    MAX_REST within REST_TIME; if that is not enough, the response has `Connection: close` (RFC 9112, 9.6).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not (headers := _about_the_body(scope)):
            await self._app(scope, receive, send)
            return
        body = _Body(headers, receive, send)
        try:
            await self._app(scope, body.receive, body.send)
        except (BodyTooSlow, ClientGone) as error:
            if not body.answered:
                await _answer_without_content(error.status_code, body.send)
        finally:
            await body.close()


def _about_the_body(scope: HTTPScope) -> dict[bytes, bytes]:
    """The headers that describe a body; none for a request without one."""
    names = (b"content-length", b"transfer-encoding", b"expect")
    headers = {name: value for name, value in scope["headers"] if name in names}
    announced = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    return headers if announced else {}


class _Body:
    def __init__(self, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        self.answered = False
        self._receive = receive
        self._send = send
        self._left = int(headers[b"content-length"]) if b"content-length" in headers else None
        """Bytes still to come; None without a Content-Length."""
        self._invited = b"expect" not in headers
        """Whether the client sends the body without waiting for 100 Continue (RFC 9110, 10.1.1)."""
        self._ended = False
        self._failure: type[BodyTooSlow | ClientGone] | None = None
        self._reading: asyncio.Task[Any] | None = None
        """The pending `receive`. It is not cancelled: the server might then never close the connection."""
        self._since = 0
        self._waited = 0.0

    async def receive(self) -> Any:
        if self._ended:
            return await self._receive()
        if self._failure:
            raise self._failure
        self._invited = True
        clock = asyncio.get_running_loop().time
        began = clock()
        self._reading = self._reading or asyncio.ensure_future(self._receive())
        done, _ = await asyncio.wait({self._reading}, timeout=RECEIVE_TIMEOUT - self._waited)
        if not done:
            self._failure = BodyTooSlow
            raise self._failure
        message, self._reading = self._reading.result(), None
        if message["type"] != "http.request":
            self._failure = ClientGone
            raise self._failure
        self._count(len(message["body"]), clock() - began)
        self._ended = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not (self._ended or await self._read_rest()):
                message["headers"] = [*message["headers"], _CLOSE]
            self.answered = True
        elif message["type"] == "http.response.body" and self._reading and not message.get("more_body"):
            # In two parts: at the end of a response in parts the server cancels a pending `receive`.
            await self._send({"type": "http.response.body", "body": message["body"], "more_body": True})
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def close(self) -> None:
        """After the response: a pending `receive` ends with the connection, whose closing was announced."""
        if self._reading:
            await asyncio.wait({self._reading}, timeout=CLOSED_WITHIN)
            self._reading.cancel()
        # The server closes the connection when its objects are garbage; the application may keep this one for long.
        self._receive, self._send = _over, _nowhere

    def _count(self, size: int, seconds: float) -> None:
        """Counts only the time spent waiting for the client."""
        self._since += size
        self._waited += seconds
        if self._since >= RECEIVE_TIMEOUT * LEAST_RATE:
            self._since, self._waited = 0, 0.0
        if self._left is not None:
            self._left -= size

    async def _read_rest(self) -> bool:
        """Whether the body has been read to its end."""
        if not self._invited or (self._left or 0) > MAX_REST:
            return self._ended
        size = 0
        try:
            async with asyncio.timeout(REST_TIME):
                while not self._ended and size <= MAX_REST:
                    size += len((await self.receive())["body"])
        except (TimeoutError, BodyTooSlow, ClientGone):
            pass
        return self._ended


async def _over() -> Any:
    return {"type": "http.disconnect"}


async def _nowhere(_: Message) -> None:
    pass


async def _answer_without_content(status: int, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
