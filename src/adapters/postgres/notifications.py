from datetime import datetime

from adapters.postgres.generations_reader import image_urls
from adapters.postgres.paging import Arguments, Keys, cut, fetch_page, limit
from adapters.postgres.pool import Reads, Record
from adapters.postgres.styles_reader import thumbnail_urls
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Write
from core.accounts.pictures import picture_urls
from core.derivatives import original
from core.identifiers import NotificationId, UserId
from core.notifications.model import Notification
from core.notifications.repository import Notifications
from core.notifications.views import Actor, NotificationItem, NotificationsReader, Target
from core.paging import Page, PageRequest
from core.ports import changes
from core.ports.blob_store import BlobStore
from core.ports.notifier import Notifier

NOTIFY = Write(
    target="notifications",
    columns="notifications",
    ctes="""
        notified AS (
            INSERT INTO notifications
                (id, recipient_id, type, reason, target_type, target_id, actor_id, metadata, created_at)
            SELECT input.id, recipient_id, type, reason, target_type, target_id, actor_id, metadata, input.created_at
            FROM input_notifications input
            JOIN users ON users.id = recipient_id AND standing IN ('present', 'suspended')
            ON CONFLICT ON CONSTRAINT uq_notifications_recipient_id_reason DO NOTHING
        )""",
)
MARK_READ = Write(
    target="notifications",
    columns="notifications",
    ctes="""
        marked_read AS (
            UPDATE notifications SET read_at = coalesce(notifications.read_at, input.read_at)
            FROM input_notifications input
            WHERE notifications.id = input.id AND notifications.recipient_id = input.recipient_id
            RETURNING notifications.id
        )""",
    finds="marked_read",
    rule="notification_found",
)
MARK_ALL_READ = "UPDATE notifications SET read_at = $2 WHERE recipient_id = $1 AND read_at IS NULL RETURNING id"
PURGE_READ = """
WITH old AS MATERIALIZED (
    SELECT id FROM notifications WHERE read_at <= $1 ORDER BY read_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM notifications USING old WHERE notifications.id = old.id
RETURNING notifications.id
"""


def _list(recipient: UserId, unread_only: bool, page: PageRequest, arguments: Arguments) -> tuple[str, str]:
    """The SELECT of a page, and the order of its rows.

    Each row has the number of unread ones; there is at least one row, even if the page is empty.
    """
    keys = Keys()
    of_recipient = f"recipient_id = {arguments.add(recipient)}"
    unread = " AND read_at IS NULL" if unread_only else ""
    sql = f"""
    SELECT unread, notice.*, actor.username, actor.profile_image,
        coalesce(style.name, target_user.username) AS target_name, target_user.profile_image AS target_picture,
        image.owner_id, image.result_key, image.public_key,
        coalesce(
            target_style.thumbnail_key,
            CASE WHEN target_style.show_samples THEN (
                SELECT sample_key FROM artworks WHERE version_id = target_style.version_id AND index = 0
            ) END
        ) AS thumbnail
    FROM (SELECT count(*) AS unread FROM notifications WHERE {of_recipient} AND read_at IS NULL) counted
    LEFT JOIN (
        SELECT * FROM notifications WHERE {of_recipient}{unread} AND {keys.after(page, arguments)}
        ORDER BY {keys.order()} {limit(page)}
    ) notice ON true
    LEFT JOIN users actor ON actor.id = notice.actor_id
    LEFT JOIN users target_user ON notice.target_type = 'user' AND target_user.id = notice.target_id
    LEFT JOIN styles target_style ON notice.target_type = 'style' AND target_style.id = notice.target_id
    LEFT JOIN generations image ON notice.target_type = 'generation' AND image.id = notice.target_id
    LEFT JOIN styles style ON style.id = coalesce(target_style.id, image.style_id)
    """
    return sql, keys.of_page()


class PostgresNotifier(Notifier):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def notify(self, notification: Notification) -> None:
        await self._transaction.write(
            NOTIFY,
            {
                "id": notification.id,
                "recipient_id": notification.recipient,
                "type": notification.type,
                "reason": notification.reason,
                "target_type": notification.target_type,
                "target_id": notification.target_id,
                "actor_id": notification.actor,
                "metadata": notification.metadata,
                "created_at": notification.at,
            },
        )
        self._transaction.notify_after_commit(changes.notifications(notification.recipient))


class PostgresNotifications(Notifications):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def mark_read(self, recipient: UserId, notification_id: NotificationId, *, at: datetime) -> None:
        await self._transaction.write(MARK_READ, {"id": notification_id, "recipient_id": recipient, "read_at": at})

    async def mark_all_read(self, recipient: UserId, *, at: datetime) -> int:
        return len(await self._transaction.fetch(MARK_ALL_READ, recipient, at, lock=True))

    async def purge_read(self, *, before: datetime, limit: int) -> int:
        return len(await self._transaction.fetch(PURGE_READ, before, limit, lock=True))


class PostgresNotificationsReader(NotificationsReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def list(
        self, recipient: UserId, *, unread_only: bool, page: PageRequest
    ) -> tuple[Page[NotificationItem], int]:
        arguments = Arguments(together=True)
        sql, order = _list(recipient, unread_only, page, arguments)
        found = await fetch_page(self._reads, sql, order, arguments)
        unread = found[0]["unread"]
        rows, following = cut([row for row in found if row["id"] is not None], page)
        return Page([await self._item(row) for row in rows], following), unread

    async def _item(self, row: Record) -> NotificationItem:
        actor = None
        if row["actor_id"] is not None:
            images = picture_urls(row["profile_image"], self._blobs)
            actor = Actor(row["actor_id"], row["username"], original(images), images)
        return NotificationItem(
            id=row["id"],
            type=row["type"],
            actor=actor,
            target_type=row["target_type"],
            target_id=row["target_id"],
            target=await self._target(row),
            metadata=row["metadata"],
            is_read=row["read_at"] is not None,
            created_at=row["created_at"],
        )

    async def _target(self, row: Record) -> Target | None:
        if row["target_name"] is None:
            return None
        match row["target_type"]:
            case "generation":
                images = await image_urls(row, row["recipient_id"], self._blobs)
            case "style":
                images = await thumbnail_urls(row["thumbnail"], self._blobs)
            case _:
                images = picture_urls(row["target_picture"], self._blobs)
        url = original(images)
        result_url = url if row["target_type"] == "generation" else None
        return Target(row["target_id"], row["target_name"], url, result_url, images)
