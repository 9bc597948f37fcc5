from adapters.postgres.pool import Pool, Record
from core.ports.clock import Clock
from core.ports.database import DatabaseUsage
from core.ports.rate_limiter import Allowance, Limit, RateLimiter, allowance

HIT = """
INSERT INTO rate_limits AS kept (key, slot, calls, previous, expires_at) VALUES ($1, $2, 1, 0, $5)
ON CONFLICT (key) DO UPDATE SET
    slot = $2,
    calls = CASE kept.slot WHEN $2 THEN kept.calls ELSE 0 END + 1,
    previous = CASE kept.slot WHEN $2 THEN kept.previous WHEN $2 - 1 THEN kept.calls ELSE 0 END,
    expires_at = $5
WHERE CASE kept.slot WHEN $2 THEN kept.previous WHEN $2 - 1 THEN kept.calls ELSE 0 END * (1 - $3::float8)
    + CASE kept.slot WHEN $2 THEN kept.calls ELSE 0 END + 1 <= $4
RETURNING calls, previous
"""
"""One statement checks and counts, so that concurrent calls cannot exceed the limit."""
REFUSED = """
SELECT CASE slot WHEN $2 THEN calls ELSE 0 END AS calls,
    CASE slot WHEN $2 THEN previous WHEN $2 - 1 THEN calls ELSE 0 END AS previous
FROM rate_limits WHERE key = $1
"""
FORGET = """
WITH expired AS MATERIALIZED (
    SELECT key FROM rate_limits WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM rate_limits USING expired WHERE rate_limits.key = expired.key
RETURNING rate_limits.key
"""


class PostgresRateLimiter(RateLimiter):
    """Uses an unlogged table: counts restart after a database crash, and no call waits for the disk."""

    def __init__(self, pool: Pool, usage: DatabaseUsage, clock: Clock) -> None:
        self._pool = pool
        self._usage = usage
        self._clock = clock

    async def hit(self, key: str, limit: Limit) -> Allowance:
        slot, over = limit.slot(self._clock.now())
        counted = await self._fetchrow(HIT, key, slot, over, limit.calls, limit.weightless_at(slot))
        counts = counted or await self._fetchrow(REFUSED, key, slot)
        calls, previous = (counts["calls"], counts["previous"]) if counts else (0, 0)
        return allowance(limit, allowed=counted is not None, calls=calls, previous=previous, over=over)

    async def _fetchrow(self, sql: str, *args: object) -> Record | None:
        """The first row of a statement in its own transaction: a call counts even if it fails later."""
        rows = await self._pool.fetch(sql, *args, usage=self._usage)
        return rows[0] if rows else None

    async def forget(self, *, limit: int) -> int:
        return len(await self._pool.fetch(FORGET, self._clock.now(), limit))
