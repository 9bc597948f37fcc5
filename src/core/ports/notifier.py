from typing import Protocol

from core.notifications.model import Notification


class Notifier(Protocol):
    async def notify(self, notification: Notification) -> None:
        """Tell the recipient, in the open transaction: they are told if and only if it commits.

        A notification whose `reason` the recipient has been told before is dropped silently, and so is one to somebody
        who has left.
        """
        ...
