"""A stand-in for an external server, served below a path of this service, for development."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

_MAX_BODY = 64 * 1024
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""The service's own security headers."""
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action *; base-uri 'none'; frame-ancestors 'none'"
"""Form targets are not restricted: the response redirects to the service."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    """Relative to the stand-in's own."""
    query: dict[str, str]
    headers: dict[str, str]
    """Keys are lower-case."""
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return parameters(self.body)


Answer = tuple[HTTPStatus, dict[str, str], bytes]
"""Status, headers, body."""


class WithStandIn:
    """ASGI middleware that answers requests below `path` with `answer`.

    On the service's own port, so that it is reachable wherever the service is: through a container port, a tunnel or a
    proxy.
    """

    def __init__(self, app: ASGIApp, answer: Callable[[Request], Answer], *, path: str) -> None:
        self._app = app
        self._answer = answer
        self._path = path

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{self._path}/"):
            await self._app(scope, receive, send)
            return
        request = Request(
            scope["method"],
            scope["path"].removeprefix(self._path),
            parameters(scope["query_string"]),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            await _body(receive),
        )
        status, headers, body = self._answer(request)
        headers = {"Content-Length": str(len(body)), **_HEADERS, **headers}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status.value, "headers": encoded})
        await send({"type": "http.response.body", "body": body})


def as_json(status: HTTPStatus, body: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def as_page(status: HTTPStatus, body: str) -> Answer:
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _PAGE_POLICY}
    return status, headers, body.encode()


def to(url: str, status: HTTPStatus = HTTPStatus.FOUND) -> Answer:
    return status, {"Location": url}, b""


def parameters(encoded: bytes) -> dict[str, str]:
    return dict(parse_qsl(encoded.decode(errors="replace"), keep_blank_values=True))


async def _body(receive: Receive) -> bytes:
    """The request body, truncated at the limit."""
    body, more = b"", True
    while more and len(body) < _MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
