"""Rate limits: by user, or by address for clients that are not signed in. Each answer says what is left."""

from hashlib import sha256
from typing import Any

from litestar.handlers import BaseRouteHandler

from core.errors import Category, DomainError
from core.identifiers import OrderId
from core.ports.rate_limiter import Allowance, Limit, RateLimiter
from entrypoints.http.operation import Connection, RouteLimit, operation_of
from entrypoints.http.security.addresses import client_address, client_network
from entrypoints.http.state import container_of, state_of, user_of

Header = tuple[bytes, bytes]

_ALLOWANCE = "allowance"
"""Where a request's state keeps what is left."""


class RateLimitExceeded(DomainError):
    code = "RATE_LIMIT_EXCEEDED"
    category = Category.TOO_MANY


async def count_call(connection: Connection, handler: BaseRouteHandler) -> None:
    """Raises RateLimitExceeded. The scope's user is known by now, if there is one."""
    limits = state_of(connection.app).settings.rate_limits
    if limits is None:
        return
    own = operation_of(handler).limit
    user = user_of(connection.scope)
    if own is RouteLimit.SIGN_IN:
        name, limit = own.value, limits.sign_in
    elif own is RouteLimit.PAYMENT:
        name, limit = own.value, limits.payment
    elif own is RouteLimit.GENERATE and user:
        name, limit = own.value, limits.generate
    elif own is RouteLimit.EXPORT and user:
        name, limit = own.value, limits.export
    elif own is RouteLimit.UPLOAD and user:
        name, limit = own.value, limits.upload
    else:
        name, limit = ("signed-in", limits.signed_in) if user else ("anonymous", limits.anonymous)
    whom = f"user:{user.id}" if user else f"address:{client_network(client_address(connection))}"
    await _count(connection, f"{name}:{whom}", limit)


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
    allowance = await limiter.hit(key, limit)
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
