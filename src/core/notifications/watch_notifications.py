from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from core.live_events import Event, Events, Watch, Watcher
from core.notifications.views import NotificationItem, NotificationsReader
from core.paging import PageRequest
from core.ports import changes

LATEST = 50
"""Notifications that a look takes in: who has missed more reads the list."""
LATE = timedelta(minutes=1)
"""By how much one may be older than another that was there before it: longer than any transaction takes to commit."""


@dataclass(frozen=True, slots=True)
class WatchNotifications:
    """See one's own notifications come: first those that were missed, then each as it comes."""

    notifications: NotificationsReader
    watch: Watch

    async def __call__(self, watcher: Watcher, *, known: str = "") -> Events:
        """Events with a NotificationItem each, the oldest first.

        Missed are those that came after the last of the `known`, or the unread ones where none of these is among the
        LATEST. An event's id names all that are known by then and not much older than the last of them: one that took
        longer to commit is missed by nobody, and told to nobody twice.
        """
        recipient = watcher.requester.id
        told = frozenset(known.split("."))
        before: list[NotificationItem] | None = None
        async with aclosing(self.watch(changes.notifications(recipient), watcher)) as looks:
            async for _ in looks:
                async with self.watch.turn:
                    page, _unread = await self.notifications.list(
                        recipient, unread_only=False, page=PageRequest(limit=LATEST)
                    )
                rows = page.rows
                new = _missed(rows, told) if before is None else _new(rows, before)
                before = rows
                told = told & {str(row.id) for row in rows}
                for item in reversed(new):
                    told |= {str(item.id)}
                    yield Event("notification", _id(rows, told), item)
                if not new:
                    yield None


def _missed(rows: list[NotificationItem], told: frozenset[str]) -> list[NotificationItem]:
    known = _known(rows, told)
    if not known:
        return [row for row in rows if not row.is_read]
    last = known[0]
    above = rows[: rows.index(last)]
    below = rows[len(above) :]
    late = [row for row in below if row not in known and not row.is_read and row.created_at >= last.created_at - LATE]
    return above + late


def _new(rows: list[NotificationItem], before: list[NotificationItem]) -> list[NotificationItem]:
    """By what was there before and not by the last one's place: one that took longer to commit may come below it."""
    seen = {row.id for row in before}
    new = [row for row in rows if row.id not in seen]
    if len(before) < LATEST:
        return new
    lowest = (before[-1].created_at, before[-1].id)
    return [row for row in new if (row.created_at, row.id) > lowest]  # those below have moved up


def _id(rows: list[NotificationItem], told: frozenset[str]) -> str:
    last, *others = _known(rows, told)
    recent = [row for row in others if row.created_at >= last.created_at - LATE]
    return ".".join(str(row.id) for row in (last, *recent))


def _known(rows: list[NotificationItem], told: frozenset[str]) -> list[NotificationItem]:
    return [row for row in rows if str(row.id) in told]
