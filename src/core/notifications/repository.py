from datetime import datetime
from typing import Protocol

from core.identifiers import NotificationId, UserId


class Notifications(Protocol):
    """Notifications, in the open transaction."""

    async def mark_read(self, recipient: UserId, notification_id: NotificationId, *, at: datetime) -> None:
        """Reading again keeps the first time. Raises NotificationNotFound, also for another user's."""
        ...

    async def mark_all_read(self, recipient: UserId, *, at: datetime) -> int:
        """Returns how many were unread."""
        ...

    async def purge_read(self, *, before: datetime, limit: int) -> int:
        """Remove up to `limit` that were read at `before` or earlier, skipping rows locked by others. Returns how many.

        Their events can be notified again.
        """
        ...
