from datetime import datetime

from core.ports.clock import Clock
from core.ports.rate_limiter import Allowance, Limit, RateLimiter, allowance


class MemoryRateLimiter(RateLimiter):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, int, int]] = {}
        """By key: the fixed window, its calls, and those of the previous window."""
        self._weightless_at: dict[str, datetime] = {}

    async def hit(self, key: str, limit: Limit) -> Allowance:
        now, over = limit.slot(self._clock.now())
        slot, calls, previous = self._windows.get(key, (now, 0, 0))
        if slot != now:
            calls, previous = 0, calls if slot == now - 1 else 0
        allowed = previous * (1 - over) + calls + 1 <= limit.calls
        if allowed:
            calls += 1
            self._windows[key] = now, calls, previous
            self._weightless_at[key] = limit.weightless_at(now)
        return allowance(limit, allowed=allowed, calls=calls, previous=previous, over=over)

    async def forget(self, *, limit: int) -> int:
        now = self._clock.now()
        gone = [key for key, at in self._weightless_at.items() if at <= now][:limit]
        for key in gone:
            del self._windows[key], self._weightless_at[key]
        return len(gone)
