"""How often somebody may call: by user, or by address for who is not signed in. Each answer says what is left."""

from enum import Enum
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from core.errors import Category, DomainError
from core.ports.rate_limiter import Allowance, RateLimiter
from entrypoints.http.security.addresses import client_address
from entrypoints.settings import RateLimits

Connection = ASGIConnection[Any, Any, Any, Any]
Header = tuple[bytes, bytes]

LIMIT = "limit"
"""A route's option: the limit that it has of its own, instead of the general one."""


class Own(Enum):
    SIGN_IN = "sign-in"
    GENERATE = "generate"
    EXPORT = "export"


class RateLimitExceeded(DomainError):
    code = "RATE_LIMIT_EXCEEDED"
    category = Category.TOO_MANY


async def count_call(connection: Connection, handler: BaseRouteHandler) -> None:
    """Raises RateLimitExceeded. The scope's user is known by now, if there is one."""
    limits: RateLimits | None = connection.app.state.rate_limits
    if limits is None:
        return
    own: Own | None = handler.opt.get(LIMIT)
    user = connection.scope.get("user")
    if own is Own.SIGN_IN:
        name, limit = own.value, limits.sign_in
    elif own is Own.GENERATE and user:
        name, limit = own.value, limits.generate
    elif own is Own.EXPORT and user:
        name, limit = own.value, limits.export
    else:
        name, limit = ("signed-in", limits.signed_in) if user else ("anonymous", limits.anonymous)
    whom = f"user:{user.id}" if user else f"address:{client_address(connection)}"
    limiter = await connection.scope["state"]["dishka_container"].get(RateLimiter)
    allowance = await limiter.hit(f"{name}:{whom}", limit)
    connection.scope["state"][LIMIT] = allowance
    if not allowance.allowed:
        raise RateLimitExceeded(details={"retry_after": allowance.reset_after})


def limit_headers(state: dict[str, Any]) -> list[Header]:
    """For an answer to a call that was counted."""
    allowance: Allowance | None = state.get(LIMIT)
    if allowance is None:
        return []
    reset = str(allowance.reset_after).encode()
    headers = [
        (b"x-ratelimit-limit", str(allowance.limit).encode()),
        (b"x-ratelimit-remaining", str(allowance.remaining).encode()),
        (b"x-ratelimit-reset", reset),
    ]
    return headers if allowance.allowed else [*headers, (b"retry-after", reset)]
