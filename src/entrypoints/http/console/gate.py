"""Access to the console: admins only; others get the 404 of an unknown path."""

import asyncio
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from core.accounts.sign_in import token_hash
from core.audit.model import Operator, Source
from core.ports.active_sessions import ActiveSessions
from core.ports.clock import Clock
from core.requester import Requester
from entrypoints.http.console.rows import ConsoleRows
from entrypoints.http.security.cookies import Cookies, cookie
from entrypoints.http.security.signing import Signers
from entrypoints.http.state import container_of
from entrypoints.logs import trace_id
from entrypoints.settings import Settings

PATH = "/admin"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data: {images}; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""No script at all. `images` is the origin of the object store."""
GOOGLE_STORAGE = "https://storage.googleapis.com"
ASSETS = (f"{PATH}/statics/", f"{PATH}/assets/")


def media_origin(settings: Settings) -> str:
    """The origin of the URLs of objects."""
    stored = (settings.storage_emulator_host or GOOGLE_STORAGE) if settings.gcs_bucket_name else settings.api_base_url
    parts = urlsplit(stored)
    return f"{parts.scheme}://{parts.netloc}"


class Gate:
    """Within the request's container, around the API."""

    def __init__(self, app: ASGIApp, signers: Signers, cookies: Cookies, *, scheme: str, images: str) -> None:
        """`scheme` is that of the service's own URL: links of the console start with it, also behind a proxy. `images`
        is the origin of the object store's URLs.
        """
        self._policy = POLICY.format(images=images).encode()
        self._app = app
        self._signers = signers
        self._cookies = cookies
        self._scheme = scheme
        self._console: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not (scope["path"] == PATH or scope["path"].startswith(f"{PATH}/")):
            await self._app(scope, receive, send)
            return
        token = cookie(scope, self._cookies.session_name) or ""
        requester = await self._admin(scope, token)
        if requester is None:
            await self._app(scope, receive, send)
            return
        console = await self._made(scope)
        await console(self._visited(scope, requester, token), receive, _answering(scope, send, self._policy))

    async def _admin(self, scope: HTTPScope, token: str) -> Requester | None:
        if not token:
            return None
        container = container_of(scope)
        sessions, clock = await container.get(ActiveSessions), await container.get(Clock)
        scope["user"] = await sessions.requester(token_hash(token), at=clock.now())
        return scope["user"] if scope["user"] and scope["user"].is_admin else None

    def _visited(self, scope: HTTPScope, requester: Requester, token: str) -> HTTPScope:
        from entrypoints.http.console.visit import Visit, attach_visit

        inner = scope.copy()
        inner["scheme"] = self._scheme
        operator = Operator(requester.id, Source.CONSOLE, trace_id=trace_id.get())
        attach_visit(inner, Visit(operator, self._signers.csrf.signature(token)))
        return inner

    async def _made(self, scope: HTTPScope) -> ASGIApp:
        """Made at the first call of an admin."""
        async with self._making:
            if self._console is None:
                from entrypoints.http.console.app import make_console

                self._console = make_console(await container_of(scope).get(ConsoleRows))
        return self._console


def _answering(scope: HTTPScope, send: Send, policy: bytes) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], (b"content-security-policy", policy)]
            if scope["path"].startswith(ASSETS):
                headers.append((b"cache-control", b"private, max-age=3600"))
            message["headers"] = headers
        await send(message)

    return answer
