"""Calls that no route answers, which no guard counts."""

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from core.ports.database import DatabaseUnavailable
from entrypoints.http.errors import AnyRequest, refuse_unmatched
from entrypoints.http.security.limits import RateLimitExceeded, count_unmatched


class Unmatched:
    """Counts them with the anonymous calls of the address. Beyond the limit the answer is 429 instead of 404."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        refused = False

        async def send_counted(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and not scope.get("path_template"):
                refused = await _refused(scope, receive, send)
            if not refused:
                await send(message)

        await self._app(scope, receive, send_counted)


async def _refused(scope: HTTPScope, receive: Receive, send: Send) -> bool:
    """Whether the call was refused, and answered."""
    request: AnyRequest = Request(scope, receive, send)
    try:
        await count_unmatched(request)
    except RateLimitExceeded as error:
        refusal = refuse_unmatched(request, error)
        await refusal.to_asgi_response(None, request)(scope, receive, send)
        return True
    except DatabaseUnavailable:
        return False
    return False
