from contextlib import aclosing
from dataclasses import dataclass

from core.identifiers import NotificationId
from core.live_events import Event, Events, Watch, Watcher
from core.notifications.views import NotificationItem, NotificationsReader
from core.paging import PageRequest
from core.ports import changes

LATEST = 50
"""Notifications that a look takes in: who has missed more reads the list."""


@dataclass(frozen=True, slots=True)
class WatchNotifications:
    """See one's own notifications come: first those that were missed, then each as it comes."""

    notifications: NotificationsReader
    watch: Watch

    async def __call__(self, watcher: Watcher, *, known: NotificationId | None = None) -> Events:
        """Events with a NotificationItem each, the oldest first.

        Missed are those that came after `known`, or the unread ones where it is not among the LATEST.
        """
        recipient = watcher.requester.id
        before: list[NotificationItem] | None = None
        async with aclosing(self.watch(changes.notifications(recipient), watcher)) as looks:
            async for _ in looks:
                async with self.watch.turn:
                    page, _unread = await self.notifications.list(
                        recipient, unread_only=False, page=PageRequest(limit=LATEST)
                    )
                new = _missed(page.rows, known) if before is None else _new(page.rows, before)
                before = page.rows
                for item in reversed(new):
                    yield Event("notification", str(item.id), item)
                if not new:
                    yield None


def _missed(rows: list[NotificationItem], known: NotificationId | None) -> list[NotificationItem]:
    ids = [row.id for row in rows]
    return rows[: ids.index(known)] if known in ids else [row for row in rows if not row.is_read]


def _new(rows: list[NotificationItem], before: list[NotificationItem]) -> list[NotificationItem]:
    """By what was there before and not by the last one's place: one that took longer to commit may come below it."""
    seen = {row.id for row in before}
    new = [row for row in rows if row.id not in seen]
    if len(before) < LATEST:
        return new
    lowest = (before[-1].created_at, before[-1].id)
    return [row for row in new if (row.created_at, row.id) > lowest]  # those below have moved up
