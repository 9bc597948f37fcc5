"""Rate limits: by user, or by address for clients that are not signed in. Each answer says what is left."""

from typing import Any

from litestar.handlers import BaseRouteHandler

from core.errors import Category, DomainError
from core.ports.rate_limiter import Allowance, RateLimiter
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
    elif own is RouteLimit.GENERATE and user:
        name, limit = own.value, limits.generate
    elif own is RouteLimit.EXPORT and user:
        name, limit = own.value, limits.export
    elif own is RouteLimit.UPLOAD and user:
        name, limit = own.value, limits.upload
    else:
        name, limit = ("signed-in", limits.signed_in) if user else ("anonymous", limits.anonymous)
    whom = f"user:{user.id}" if user else f"address:{client_network(client_address(connection))}"
    limiter = await container_of(connection.scope).get(RateLimiter)
    allowance = await limiter.hit(f"{name}:{whom}", limit)
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
