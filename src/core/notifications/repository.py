from datetime import datetime
from typing import Protocol

from core.identifiers import NotificationId, UserId


class Notifications(Protocol):
    """In the open transaction."""

    async def mark_read(self, recipient: UserId, notification_id: NotificationId, *, at: datetime) -> None:
        """Keeps the first moment when it is read again. Raises NotificationNotFound, for another's too."""
        ...

    async def mark_all_read(self, recipient: UserId, *, at: datetime) -> int:
        """Answers how many were unread."""
        ...

    async def drop_read(self, *, before: datetime, limit: int) -> int:
        """Remove up to `limit` that were read at `before` or earlier; those that another removes are passed over.

        What they told of can be told again. Answers how many were removed.
        """
        ...
