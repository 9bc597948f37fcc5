from dataclasses import dataclass

from core.accounts.repository import Sessions
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class DropExpiredSessions:
    """Remove sessions that sign nobody in any more, one batch; any number may run at once."""

    sessions: Sessions
    transaction: Transaction
    clock: Clock

    async def __call__(self, *, limit: int = 1000) -> int:
        """Answers how many were removed."""
        async with self.transaction:
            return await self.sessions.drop_expired(now=self.clock.now(), limit=limit)
