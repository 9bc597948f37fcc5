from dataclasses import dataclass

from core.identifiers import NotificationId, UserId
from core.notifications.repository import Notifications
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MarkRead:
    """Mark one of one's own notifications as read."""

    notifications: Notifications
    transaction: Transaction
    clock: Clock

    async def __call__(self, recipient: UserId, notification_id: NotificationId) -> None:
        async with self.transaction:
            await self.notifications.mark_read(recipient, notification_id, at=self.clock.now())
