import math
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """At most `calls` within any `window`."""

    calls: int
    window: timedelta

    def slot(self, at: datetime) -> tuple[int, float]:
        """Which of the fixed windows since the epoch a moment lies in, and the share of it that is over."""
        slot, into = divmod(at.timestamp(), self.window.total_seconds())
        return int(slot), into / self.window.total_seconds()

    def weightless_at(self, slot: int) -> datetime:
        """When calls of a fixed window weigh nothing any more."""
        return datetime.fromtimestamp((slot + 2) * self.window.total_seconds(), UTC)


class Allowance(msgspec.Struct, frozen=True):
    limit: int
    """Calls in a window."""
    allowed: bool
    remaining: int
    """How many more would be allowed right now."""
    reset_after: int
    """Whole seconds, rounded up, until the present calls weigh nothing any more."""


class RateLimiter(Protocol):
    """A sliding window, shared by all processes.

    It slides over two fixed windows: the calls of the one before weigh as much as the share of it that is still
    covered. Concurrent calls are counted one by one: of any number at once, no more than the limit are allowed.
    """

    async def hit(self, key: str, limit: Limit) -> Allowance:
        """Count a call of `key`, unless it is refused: refused calls do not count."""
        ...

    async def forget(self, *, limit: int) -> int:
        """Remove up to `limit` counts that weigh nothing any more; answers how many."""
        ...


def allowance(limit: Limit, *, allowed: bool, calls: int, previous: int, over: float) -> Allowance:
    """What the counts of a window say, with this call in them if it was allowed; `over` is the share that is over."""
    weight = previous * (1 - over) + calls
    seconds = limit.window.total_seconds()
    return Allowance(
        limit=limit.calls,
        allowed=allowed,
        remaining=max(0, math.floor(limit.calls - weight)) if allowed else 0,
        reset_after=math.ceil(seconds * ((2 if calls else 1) - over)),
    )
