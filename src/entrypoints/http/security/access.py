"""The guards: who may call a route. Each route has one of them; nothing of a body is read before it has passed."""

import hmac
from typing import Any, cast

from litestar.handlers import BaseRouteHandler
from litestar.types import HTTPScope

from core.accounts.errors import ArtistOnly, Unauthorized
from core.accounts.renew_session import RenewSession
from core.accounts.sign_in import token_hash
from core.audit.model import Operator
from core.errors import Category, DomainError, NotFound
from core.live_events import Watcher
from core.ports.clock import Clock
from core.requester import Requester
from core.secret import Secret
from entrypoints.http.errors import AnyRequest
from entrypoints.http.middleware.idempotency import check_key
from entrypoints.http.operation import Connection, operation_of
from entrypoints.http.security.addresses import client_address, is_within
from entrypoints.http.security.cookies import cookie
from entrypoints.http.security.limits import count_call, count_call_of_session
from entrypoints.http.state import container_of, state_of, user_of
from entrypoints.logs import trace_id

CSRF_HEADER = "X-CSRFToken"
_RENEWED = "renewed"
"""Where a request's state keeps the cookies of an extended session."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class AiServersOnly(Unauthorized):
    message_code = "AI_SERVERS_ONLY"


class SchedulerOnly(Unauthorized):
    message_code = "SCHEDULER_ONLY"


class CsrfFailed(DomainError):
    code = "CSRF_FAILED"
    category = Category.FORBIDDEN


async def session_optional(connection: Connection, handler: BaseRouteHandler) -> None:
    """Signed in or not: the session is looked up. For routes that change nothing, so without a CSRF token."""
    await _identify(connection, handler)


async def session_ignored(connection: Connection, handler: BaseRouteHandler) -> None:
    """Signed in or not: the session is not looked up, and only a rate limit of the route's own applies."""
    if operation_of(handler).limit:
        await count_call(connection, handler)


async def signed_in(connection: Connection, handler: BaseRouteHandler) -> None:
    """A session; for routes that change anything, its CSRF token too."""
    await _identify(connection, handler)
    _signed_in(connection)
    if cast("HTTPScope", connection.scope)["method"] not in SAFE_METHODS:
        _check_csrf(connection)
        await check_key(connection, handler)


async def artist(connection: Connection, handler: BaseRouteHandler) -> None:
    """An artist."""
    await signed_in(connection, handler)
    if not _signed_in(connection).is_artist:
        raise ArtistOnly


async def admin(connection: Connection, handler: BaseRouteHandler) -> None:
    """An admin. Others get 404."""
    await signed_in(connection, handler)
    if not _signed_in(connection).is_admin:
        raise NotFound


async def training_server(connection: Connection, _: BaseRouteHandler) -> None:
    tokens = state_of(connection.app).settings.training_tokens
    _check_ai_server(connection, "training-server", tokens)


async def inference_server(connection: Connection, _: BaseRouteHandler) -> None:
    tokens = state_of(connection.app).settings.inference_tokens
    _check_ai_server(connection, "inference-server", tokens)


async def scheduler(connection: Connection, _: BaseRouteHandler) -> None:
    """The operator's token: a scheduled job, from any address."""
    if not _bears(connection, state_of(connection.app).settings.operator_tokens):
        raise SchedulerOnly


async def operator(connection: Connection, handler: BaseRouteHandler) -> None:
    """The operator's token; in development no token is needed."""
    if state_of(connection.app).settings.production:
        await scheduler(connection, handler)


def requester(request: AnyRequest) -> Requester:
    """A dependency of routes for signed-in users."""
    return _signed_in(request)


def acting_admin(request: AnyRequest) -> Operator:
    """A dependency of routes for admins: who acts, as written to the audit log."""
    return Operator(requester(request).id, trace_id=trace_id.get())


def viewer(request: AnyRequest) -> Requester | None:
    """A dependency of routes that look the session up; None for clients that are not signed in."""
    return user_of(request.scope)


def watcher(request: AnyRequest) -> Watcher:
    """A user and their session, as a dependency of streams for signed-in users."""
    return Watcher(requester(request), token_hash(session_token(request)))


def watching_viewer(request: AnyRequest) -> Watcher | None:
    """The same for streams that look the session up; None for clients that are not signed in."""
    return watcher(request) if viewer(request) else None


def session_token(connection: Connection) -> str:
    """The token that the session cookie carries. Raises Unauthorized without one."""
    token = cookie(connection.scope, state_of(connection.app).cookies.session_name)
    if token is None:
        raise Unauthorized
    return token


def csrf_token(connection: Connection, session_token: str) -> str:
    return state_of(connection.app).signers.csrf.signature(session_token)


async def _identify(connection: Connection, handler: BaseRouteHandler) -> None:
    """Look up the session of a session cookie, and count the call."""
    connection.scope["user"] = None
    if token := cookie(connection.scope, state_of(connection.app).cookies.session_name):
        now = (await container_of(connection.scope).get(Clock)).now()
        if session := await count_call_of_session(connection, handler, token_hash(token), at=now):
            if session.renewal_due(at=now):
                await _renew(connection, token)
            return
    await count_call(connection, handler)


async def _renew(connection: Connection, token: str) -> None:
    """Extend the session, here and in the browser."""
    container = container_of(connection.scope)
    renew, clock = await container.get(RenewSession), await container.get(Clock)
    await renew(token_hash(token), at=clock.now())
    cookies = state_of(connection.app).cookies
    renewed = [cookies.session(token), cookies.csrf(csrf_token(connection, token))]
    connection.scope["state"][_RENEWED] = [each.to_encoded_header() for each in renewed]


def renewed_cookies(state: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The headers of a session that was extended; from the state of a request."""
    renewed: list[tuple[bytes, bytes]] = state.get(_RENEWED, [])
    return renewed


def _signed_in(connection: Connection) -> Requester:
    """Raises Unauthorized."""
    user = user_of(connection.scope)
    if user is None:
        raise Unauthorized
    return user


def _check_csrf(connection: Connection) -> None:
    expected = csrf_token(connection, session_token(connection))
    if not hmac.compare_digest(expected.encode(), connection.headers.get(CSRF_HEADER, "").encode()):
        raise CsrfFailed


def _check_ai_server(connection: Connection, source: str, tokens: list[Secret]) -> None:
    """A bearer token, the source and the network. Raises Unauthorized, which does not say what was wrong."""
    named = connection.headers.get("X-Request-Source") == source
    if not (_bears(connection, tokens) and named and _from_allowed_network(connection)):
        raise AiServersOnly


def _bears(connection: Connection, tokens: list[Secret]) -> bool:
    """Whether the bearer token is one of these."""
    scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
    known = [Secret(token) == valid for valid in tokens]
    return scheme.lower() == "bearer" and any(known)


def _from_allowed_network(connection: Connection) -> bool:
    allowed = state_of(connection.app).settings.webhook_allowed_networks
    return not allowed or is_within(client_address(connection), allowed)
