from datetime import datetime

from core.ports.clock import Clock
from core.ports.rate_limiter import Allowance, Limit, RateLimiter, allowance


class MemoryRateLimiter(RateLimiter):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, int, int]] = {}
        """By key: the fixed window, its calls, and those of the previous window."""
        self._expiry: dict[str, datetime] = {}

    async def hit(self, key: str, limit: Limit) -> Allowance:
        now, elapsed = limit.slot(self._clock.now())
        slot, calls, previous = self._windows.get(key, (now, 0, 0))
        if slot != now:
            calls, previous = 0, calls if slot == now - 1 else 0
        allowed = previous * (1 - elapsed) + calls + 1 <= limit.calls
        if allowed:
            calls += 1
            self._windows[key] = now, calls, previous
            self._expiry[key] = limit.expiry(now)
        return allowance(limit, allowed=allowed, calls=calls, previous=previous, elapsed=elapsed)

    async def purge(self, *, limit: int) -> int:
        now = self._clock.now()
        gone = [key for key, at in self._expiry.items() if at <= now][:limit]
        for key in gone:
            del self._windows[key], self._expiry[key]
        return len(gone)
