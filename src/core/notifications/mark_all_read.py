from dataclasses import dataclass

from core.identifiers import UserId
from core.notifications.repository import Notifications
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MarkAllRead:
    """Mark all of one's notifications as read; returns how many were unread."""

    notifications: Notifications
    transaction: Transaction
    clock: Clock

    async def __call__(self, recipient: UserId) -> int:
        async with self.transaction:
            return await self.notifications.mark_all_read(recipient, at=self.clock.now())
