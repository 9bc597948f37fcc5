"""A trace id, security headers and a log line for every request."""

import logging
import time
from secrets import token_hex

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from core.ports.database import DatabaseUsage
from entrypoints.http.envelope import Refusal, Refused
from entrypoints.http.errors import INTERNAL
from entrypoints.http.metrics import Metrics
from entrypoints.http.security.access import renewed_cookies
from entrypoints.http.security.limits import limit_headers
from entrypoints.http.state import container_of, user_of
from entrypoints.http.streams import MEDIA_TYPE
from entrypoints.logs import log_request, trace_id
from entrypoints.messages import ENGLISH

logger = logging.getLogger(__name__)

Header = tuple[bytes, bytes]

HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Headers of a response, unless its controller sets them."""
STRICT_TRANSPORT: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class Tracing:
    """The outermost layer within the request's container.

    Also answers HEAD as GET without the body, and 500 where nothing else could.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, https: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = (*HEADERS, STRICT_TRANSPORT) if https else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        usage = await container_of(scope).get(DatabaseUsage)
        exchange = _Exchange(scope, send, self._headers, self._metrics, usage)
        if method == "HEAD":
            scope["method"] = "GET"
        token = trace_id.set(exchange.trace_id)
        try:
            await self._app(scope, receive, exchange.send)
        except Exception:
            logger.exception("unexpected error in %s %s", method, path)
            if exchange.status:
                raise
            await exchange.fail()
        finally:
            if not exchange.stream:
                exchange.count()
            user = user_of(scope)
            user_id = user.id if user else None
            log_request(method, scope["path"], status=exchange.status, seconds=exchange.seconds, user_id=user_id)
            trace_id.reset(token)


class _Exchange:
    """A request and its response. Nothing here refers back to it: freeing a cycle takes the garbage collector, which
    would cost each request a tenth more.
    """

    def __init__(
        self, scope: HTTPScope, send: Send, headers: tuple[Header, ...], metrics: Metrics, usage: DatabaseUsage
    ) -> None:
        self._scope = scope
        self._started = time.perf_counter()
        self.trace_id = token_hex(16)
        self.status: int | None = None
        """None until the response has begun."""
        self.stream = False
        """Whether the response is a stream, which is counted when it begins."""
        self._send = send
        self._headers = headers
        self._metrics = metrics
        self._usage = usage
        self._method = scope["method"]

    @property
    def seconds(self) -> float:
        """Since the request began."""
        return time.perf_counter() - self._started

    def count(self) -> None:
        self._metrics.count(self._scope, self._method, self.status, self.seconds, self._usage)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message["headers"])
            said = {name.lower() for name, _ in headers}
            headers += [header for header in self._headers if header[0] not in said]
            state = self._scope.get("state", {})
            headers += limit_headers(state)
            if b"set-cookie" not in said:
                headers += renewed_cookies(state)
            headers.append((b"x-trace-id", self.trace_id.encode()))
            message["headers"] = headers
            if (b"content-type", MEDIA_TYPE.encode()) in headers:
                self.stream = True
                self.count()
        elif message["type"] == "http.response.body" and self._method == "HEAD":
            return
        await self._send(message)
        if self._method == "HEAD":  # at once: the first event of a stream may take long
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self) -> None:
        body = msgspec.json.encode(Refused(error=Refusal(INTERNAL, ENGLISH.message(INTERNAL), None)))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
