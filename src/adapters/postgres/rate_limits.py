from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Self

from adapters.postgres.batching import Batcher
from adapters.postgres.pool import Pool, Record
from adapters.postgres.statements import inputs
from adapters.postgres.unit_of_work import Measured
from core.ports.clock import Clock
from core.ports.database import DatabaseUsage
from core.ports.rate_limiter import Allowance, Limit, RateLimiter, allowance

HIT = {"key": "text", "slot": "bigint", "over": "float8", "most": "bigint", "expires_at": "timestamptz"}
"""The columns of a Hit, in the order of its fields."""


def counting(hits: str, *also: str) -> str:
    """Checks and counts hits in one statement, so that concurrent calls cannot exceed the limit.

    `hits` selects the columns of HIT, each hit's place, and what the result contains `also`.
    """
    return f"""
WITH hits AS (SELECT *, row_number() OVER (PARTITION BY key ORDER BY place) AS number FROM ({hits}) hit),
input AS (
    SELECT key, max(slot) AS slot, max(over) AS over, max(most) AS most, max(expires_at) AS expires_at,
        count(*) AS hits
    FROM hits GROUP BY key
),
counted AS (
    INSERT INTO rate_limits AS kept (key, slot, calls, previous, expires_at, granted)
    SELECT key, slot, least(hits, most), 0, expires_at, least(hits, most) FROM input ORDER BY key
    ON CONFLICT (key) DO UPDATE SET (slot, calls, previous, expires_at, granted) = (
        SELECT input.slot, shifted.calls + allowed.granted, shifted.previous, input.expires_at, allowed.granted
        FROM input
        CROSS JOIN LATERAL (
            SELECT CASE kept.slot WHEN input.slot THEN kept.calls ELSE 0 END AS calls,
                CASE kept.slot WHEN input.slot THEN kept.previous WHEN input.slot - 1 THEN kept.calls ELSE 0 END
                    AS previous
        ) shifted
        CROSS JOIN LATERAL (
            SELECT greatest(0, least(
                input.hits, floor(input.most - shifted.previous * (1 - input.over))::bigint - shifted.calls
            )) AS granted
        ) allowed
        WHERE input.key = kept.key
    )
    RETURNING key, calls, previous, granted
)
SELECT {", ".join(("place", *also))}, number <= granted AS allowed,
    calls - granted + least(number, granted) AS calls, previous
FROM hits JOIN counted USING (key)
"""


COUNT = counting(f"SELECT * FROM {inputs(HIT)}")
PURGE = """
WITH expired AS MATERIALIZED (
    SELECT key FROM rate_limits WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM rate_limits USING expired WHERE rate_limits.key = expired.key
RETURNING rate_limits.key
"""


class Hit(NamedTuple):
    key: str
    slot: int
    elapsed: float
    """The share of the slot that is over."""
    most: int
    """Calls that are allowed within a window."""
    expires_at: datetime

    @classmethod
    def of(cls, key: str, limit: Limit, *, at: datetime) -> Self:
        slot, elapsed = limit.slot(at)
        return cls(key, slot, elapsed, limit.calls, limit.expiry(slot))


def allowance_of(row: Record, hit: Hit, limit: Limit) -> Allowance:
    return allowance(limit, allowed=row["allowed"], calls=row["calls"], previous=row["previous"], elapsed=hit.elapsed)


class RateLimitCounts:
    """The counts of all processes. Calls that arrive at the same time are counted by one statement.

    Uses an unlogged table: counts restart after a database crash, and no call waits for the disk.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.hit: Batcher[Hit, Record] = Batcher(self._send, max_batch=pool.max_batch)

    async def _send(self, hits: Sequence[Hit]) -> Sequence[Record]:
        rows = await self._pool.fetch(COUNT, *zip(*hits, strict=True))
        by_place = {row["place"]: row for row in rows}
        return [by_place[place] for place in range(1, len(hits) + 1)]

    async def purge(self, *, before: datetime, limit: int) -> int:
        return len(await self._pool.fetch(PURGE, before, limit))


class PostgresRateLimiter(RateLimiter):
    """A call counts even if it is refused later: its count is a transaction of its own."""

    def __init__(self, counts: RateLimitCounts, usage: DatabaseUsage, clock: Clock) -> None:
        self._counts = counts
        self._usage = usage
        self._clock = clock

    async def hit(self, key: str, limit: Limit) -> Allowance:
        hit = Hit.of(key, limit, at=self._clock.now())
        with Measured(self._usage):
            row = await self._counts.hit(hit)
        return allowance_of(row, hit, limit)

    async def purge(self, *, limit: int) -> int:
        return await self._counts.purge(before=self._clock.now(), limit=limit)
