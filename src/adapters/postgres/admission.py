from datetime import datetime

from adapters.postgres.accounts import IN_FORCE, SESSION, active_session
from adapters.postgres.pool import Pool
from adapters.postgres.rate_limits import HIT, Hit, allowance_of, counting
from adapters.postgres.statements import BatchedStatement, inputs
from adapters.postgres.unit_of_work import Measured
from core.ports.active_sessions import ActiveSession
from core.ports.admission import Admission
from core.ports.database import DatabaseUsage
from core.ports.rate_limiter import Allowance, Limit

ADMIT = BatchedStatement(
    counting(
        f"""
        SELECT place, found.*, key || found.id AS key, slot, over, most, input.expires_at
        FROM {inputs(SESSION | HIT)} CROSS JOIN LATERAL ({IN_FORCE}) found
        """,
        *("id", "role", "is_artist", "last_seen_at"),
    )
)


class PostgresAdmission(Admission):
    """A call counts even if it is refused later: its count is a transaction of its own."""

    def __init__(self, pool: Pool, usage: DatabaseUsage) -> None:
        self._pool = pool
        self._usage = usage

    async def admit(
        self, token_hash: bytes, key: str, limit: Limit, *, at: datetime
    ) -> tuple[ActiveSession, Allowance] | None:
        hit = Hit.of(key, limit, at=at)
        with Measured(self._usage):
            row = await self._pool.row(ADMIT, token_hash, at, *hit)
        return (active_session(row), allowance_of(row, hit, limit)) if row else None
