from dataclasses import dataclass

from core.accounts.repository import Sessions
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PurgeExpiredSessions:
    """Purge expired sessions, one batch. Safe to run concurrently."""

    sessions: Sessions
    transaction: Transaction
    clock: Clock

    async def __call__(self, *, limit: int = 1000) -> int:
        """Return how many were removed."""
        async with self.transaction:
            return await self.sessions.purge_expired(now=self.clock.now(), limit=limit)
