"""CORS (Fetch standard): exactly the given origins, with credentials."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.http.fields import fields_of

PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"Accept-Language, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-CSRFToken",
    ),
    (b"access-control-max-age", b"7200"),
)
EXPOSED = (
    b"ETag, Idempotent-Replayed, Location, Retry-After, X-CSRFToken, "
    b"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Trace-Id"
)


class Cors:
    """Preflights are answered here, also for unknown paths; for other origins without permission."""

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or (origin := fields_of(scope).get(b"origin")) is None:
            await self._app(scope, receive, send)
            return
        permission = [(b"vary", b"Origin")]
        if origin in self._origins:
            permission += [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in fields_of(scope):
            said = [*permission, *(PREFLIGHT if origin in self._origins else ())]
            await send({"type": "http.response.start", "status": 204, "headers": said})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def send_with_permission(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *permission, (b"access-control-expose-headers", EXPOSED)]
            await send(message)

        await self._app(scope, receive, send_with_permission)
