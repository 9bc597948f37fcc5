"""Bodies of requests as they arrive: none is waited for without end, and none is left unread unannounced."""

import asyncio
from typing import Any

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

PATIENCE = 30.0
"""Seconds that a client may take for each `PATIENCE * LEAST_RATE` bytes of a body, or for what is left of it."""
LEAST_RATE = 4 * 1024
"""Bytes in a second: a tenth of what a slow mobile network carries."""
MAX_REST = 32 * 1024 * 1024
"""Bytes of a body that are read and thrown away when it is answered before its end: what Cloud Run takes at most."""
REST_TIME = 30.0
"""Seconds that this may take."""

CLOSED_WITHIN = 5.0
"""Seconds that the server gets to close a connection."""

_CLOSE = (b"connection", b"close")


class BodyTooSlow(HTTPException):
    status_code = 408


class ClientGone(HTTPException):
    """The connection ended before the body did. Nobody reads the answer; the status is for the log and the metrics."""

    status_code = 499

    def __init__(self) -> None:
        super().__init__("Client Closed Request")  # the library knows registered statuses alone by name


class Bodies:
    """The outermost layer, around whatever reads bodies: `receive` raises BodyTooSlow and ClientGone.

    The server closes a connection whose request was not read to its end. So the rest is read before the answer, up to
    MAX_REST within REST_TIME; where that is not enough, the answer announces the closing (RFC 9112, 9.6).
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
    """The headers that tell of a body; none for a request without one."""
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
        """Bytes that are still to come; None where that was not said."""
        self._invited = b"expect" not in headers
        """Whether the client sends the body without having been asked for it (RFC 9110, 10.1.1)."""
        self._ended = False
        self._failure: type[BodyTooSlow | ClientGone] | None = None
        self._reading: asyncio.Task[Any] | None = None
        """What waits for the next part. It is not cancelled: the server may then never close the connection."""
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
        done, _ = await asyncio.wait({self._reading}, timeout=PATIENCE - self._waited)
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
            if not await self._read_rest():
                message["headers"] = [*message["headers"], _CLOSE]
            self.answered = True
        elif message["type"] == "http.response.body" and self._reading and not message.get("more_body"):
            # In two parts: at the end of an answer in parts the server lets go of what still waits for the request.
            await self._send({"type": "http.response.body", "body": message["body"], "more_body": True})
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def close(self) -> None:
        """Once it is answered: what still waits ends with the connection, whose closing was announced."""
        if self._reading:
            await asyncio.wait({self._reading}, timeout=CLOSED_WITHIN)
            self._reading.cancel()
        # The server closes when nothing refers to its side any more; the application may refer to this one for long.
        self._receive, self._send = _over, _nowhere

    def _count(self, size: int, seconds: float) -> None:
        """Only the time counts that a client is waited for, not what the service takes in between."""
        self._since += size
        self._waited += seconds
        if self._since >= PATIENCE * LEAST_RATE:
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
