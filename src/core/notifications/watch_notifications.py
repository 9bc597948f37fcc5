from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from core.live_events import StreamEvent, StreamEvents, Watch, Watcher
from core.notifications.views import NotificationItem, NotificationsReader
from core.paging import PageRequest
from core.ports import changes

LATEST = 50
"""Notifications examined per read; a client that missed more has to read the list."""
COMMIT_DELAY = timedelta(minutes=1)
"""By how much a notification may be older than one that was visible before it; longer than any transaction takes to
commit.
"""


@dataclass(frozen=True, slots=True)
class WatchNotifications:
    """Stream one's own notifications: first those missed, then new ones."""

    notifications: NotificationsReader
    watch: Watch

    async def __call__(self, watcher: Watcher, *, known: str = "") -> StreamEvents:
        """Events with a NotificationItem each, oldest first.

        Missed are those after the last of `known`, or the unread ones if none of `known` is among the LATEST. An
        event's id lists the notifications known by then that are not much older than the latest, so that one that
        committed late is sent exactly once.
        """
        recipient = watcher.requester.id
        sent = frozenset(known.split("."))
        before: list[NotificationItem] | None = None
        async with aclosing(self.watch(changes.notifications(recipient), watcher)) as looks:
            async for _ in looks:
                async with self.watch.turn:
                    page, _unread = await self.notifications.list(
                        recipient, unread_only=False, page=PageRequest(limit=LATEST)
                    )
                rows = page.rows
                new = _missed(rows, sent) if before is None else _new(rows, before)
                before = rows
                sent = sent & {str(row.id) for row in rows}
                for item in reversed(new):
                    sent |= {str(item.id)}
                    yield StreamEvent("notification", _id(rows, sent), item)
                if not new:
                    yield None


def _missed(rows: list[NotificationItem], sent: frozenset[str]) -> list[NotificationItem]:
    known = _known(rows, sent)
    if not known:
        return [row for row in rows if not row.is_read]
    last = known[0]
    above = rows[: rows.index(last)]
    below = rows[len(above) :]
    late = [
        row
        for row in below
        if row not in known and not row.is_read and row.created_at >= last.created_at - COMMIT_DELAY
    ]
    return above + late


def _new(rows: list[NotificationItem], before: list[NotificationItem]) -> list[NotificationItem]:
    """Compares with what was visible before instead of with the last position: a notification that committed late may
    sort below it.
    """
    seen = {row.id for row in before}
    new = [row for row in rows if row.id not in seen]
    if len(before) < LATEST:
        return new
    lowest = (before[-1].created_at, before[-1].id)
    return [row for row in new if (row.created_at, row.id) > lowest]  # those below have moved up into the window


def _id(rows: list[NotificationItem], sent: frozenset[str]) -> str:
    last, *others = _known(rows, sent)
    recent = [row for row in others if row.created_at >= last.created_at - COMMIT_DELAY]
    return ".".join(str(row.id) for row in (last, *recent))


def _known(rows: list[NotificationItem], sent: frozenset[str]) -> list[NotificationItem]:
    return [row for row in rows if str(row.id) in sent]
