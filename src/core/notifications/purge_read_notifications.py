from dataclasses import dataclass

from core.notifications.model import KEPT_READ
from core.notifications.repository import Notifications
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PurgeReadNotifications:
    """Purge notifications that were read long ago, one batch. Safe to run concurrently."""

    notifications: Notifications
    transaction: Transaction
    clock: Clock

    async def __call__(self, *, limit: int = 1000) -> int:
        """Return how many were removed."""
        async with self.transaction:
            return await self.notifications.purge_read(before=self.clock.now() - KEPT_READ, limit=limit)
