import math
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """At most `calls` within any `window`."""

    calls: int
    window: timedelta

    def slot(self, at: datetime) -> tuple[int, float]:
        """The number of the fixed window since the epoch that contains a moment, and the elapsed share of it."""
        slot, into = divmod(at.timestamp(), self.window.total_seconds())
        return int(slot), into / self.window.total_seconds()

    def expiry(self, slot: int) -> datetime:
        """When calls counted in a fixed window no longer count."""
        return datetime.fromtimestamp((slot + 2) * self.window.total_seconds(), UTC)


class Allowance(msgspec.Struct, frozen=True):
    limit: int
    """Calls in a window."""
    allowed: bool
    remaining: int
    """How many more calls are allowed now."""
    reset_after: int
    """Whole seconds, rounded up, until the present calls no longer count."""


class RateLimiter(Protocol):
    """A sliding-window limit shared by all processes.

    Approximated by two fixed windows: calls of the previous one are weighted by the share of it that the sliding window
    still covers. Concurrent calls never exceed the limit together.
    """

    async def hit(self, key: str, limit: Limit) -> Allowance:
        """Count a call of `key` if it is allowed; refused calls are not counted."""
        ...

    async def purge(self, *, limit: int) -> int:
        """Remove up to `limit` expired counts; returns how many."""
        ...


def allowance(limit: Limit, *, allowed: bool, calls: int, previous: int, elapsed: float) -> Allowance:
    """The allowance from the counts of a window, this call included if allowed; `elapsed` is its elapsed share."""
    weight = previous * (1 - elapsed) + calls
    seconds = limit.window.total_seconds()
    return Allowance(
        limit=limit.calls,
        allowed=allowed,
        remaining=max(0, math.floor(limit.calls - weight)) if allowed else 0,
        reset_after=math.ceil(seconds * ((2 if calls else 1) - elapsed)),
    )
