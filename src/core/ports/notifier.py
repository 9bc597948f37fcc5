from typing import Protocol

from core.notifications.model import Notification


class Notifier(Protocol):
    async def notify(self, notification: Notification) -> None:
        """Notify the recipient in the open transaction, if it commits.

        Ignored if the recipient was already notified for the same `reason`, or if their account is deleted (not if it
        is suspended).
        """
        ...
