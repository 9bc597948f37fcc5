"""Rate limits: by user, or by address for clients that are not signed in. Each answer says what is left."""

from datetime import datetime
from hashlib import sha256
from typing import Any

from litestar.handlers import BaseRouteHandler

from core.errors import Category, DomainError
from core.identifiers import OrderId
from core.ports.active_sessions import ActiveSession, ActiveSessions
from core.ports.admission import Admission
from core.ports.rate_limiter import Allowance, Limit, RateLimiter
from entrypoints.http.operation import Connection, RouteLimit, operation_of
from entrypoints.http.security.addresses import client_address, client_network
from entrypoints.http.state import container_of, state_of
from entrypoints.parts import RateLimits

Header = tuple[bytes, bytes]

_ALLOWANCE = "allowance"
"""Where a request's state keeps what is left."""


class RateLimitExceeded(DomainError):
    code = "RATE_LIMIT_EXCEEDED"
    category = Category.TOO_MANY


async def count_call_of_session(
    connection: Connection, handler: BaseRouteHandler, token_hash: bytes, *, at: datetime
) -> ActiveSession | None:
    """Look the session up and count the call as one of its user, who becomes the scope's user.

    None, and nothing is counted, if the session is revoked or expired. Raises RateLimitExceeded.
    """
    container, limits = container_of(connection.scope), state_of(connection.app).settings.rate_limits
    session: ActiveSession | None
    allowance: Allowance | None
    if limits is None:
        session, allowance = await (await container.get(ActiveSessions)).active(token_hash, at=at), None
    else:
        name, limit = _of_users(limits, operation_of(handler).limit)
        admission = await container.get(Admission)
        session, allowance = await admission.admit(token_hash, f"{name}:user:", limit, at=at) or (None, None)
    if session:
        connection.scope["user"] = session.requester
    if allowance:
        _apply(connection, allowance)
    return session


async def count_call(connection: Connection, handler: BaseRouteHandler) -> None:
    """Count a call without a session. Raises RateLimitExceeded."""
    if limits := state_of(connection.app).settings.rate_limits:
        name, limit = _of_others(limits, operation_of(handler).limit)
        address = client_network(client_address(connection))
        await _count(connection, f"{name}:address:{address}", limit)


def _of_users(limits: RateLimits, own: RouteLimit | None) -> tuple[str, Limit]:
    match own:
        case RouteLimit.GENERATE:
            return own.value, limits.generate
        case RouteLimit.EXPORT:
            return own.value, limits.export
        case RouteLimit.UPLOAD:
            return own.value, limits.upload
        case RouteLimit.SIGN_IN | RouteLimit.PAYMENT:
            return _of_others(limits, own)
        case _:
            return "signed-in", limits.signed_in


def _of_others(limits: RateLimits, own: RouteLimit | None) -> tuple[str, Limit]:
    match own:
        case RouteLimit.SIGN_IN:
            return own.value, limits.sign_in
        case RouteLimit.PAYMENT:
            return own.value, limits.payment
        case _:
            return "anonymous", limits.anonymous


async def count_unmatched(connection: Connection) -> None:
    """Count a call that no route answers as an anonymous one. Raises RateLimitExceeded."""
    if limits := state_of(connection.app).settings.rate_limits:
        address = client_network(client_address(connection))
        await _count(connection, f"anonymous:address:{address}", limits.anonymous)


async def count_payment_call(connection: Connection, order_id: OrderId) -> None:
    """Count a call that makes the service ask the payment provider for an order. Raises RateLimitExceeded."""
    if limits := state_of(connection.app).settings.rate_limits:
        named = sha256(order_id.encode(errors="surrogatepass")).hexdigest()  # anybody may send any text as one
        await _count(connection, f"payment:order:{named}", limits.payment_order)


async def _count(connection: Connection, key: str, limit: Limit) -> None:
    limiter = await container_of(connection.scope).get(RateLimiter)
    _apply(connection, await limiter.hit(key, limit))


def _apply(connection: Connection, allowance: Allowance) -> None:
    connection.scope["state"][_ALLOWANCE] = allowance
    if not allowance.allowed:
        raise RateLimitExceeded(details={"retry_after": allowance.reset_after})


def limit_headers(state: dict[str, Any]) -> list[Header]:
    """For an answer to a call that was counted."""
    allowance: Allowance | None = state.get(_ALLOWANCE)
    if allowance is None:
        return []
    reset = str(allowance.reset_after).encode()
    headers = [
        (b"x-ratelimit-limit", str(allowance.limit).encode()),
        (b"x-ratelimit-remaining", str(allowance.remaining).encode()),
        (b"x-ratelimit-reset", reset),
    ]
    return headers if allowance.allowed else [*headers, (b"retry-after", reset)]
