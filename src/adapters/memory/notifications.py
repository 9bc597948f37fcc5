from datetime import datetime

import msgspec

from adapters.memory.database import Reads
from adapters.memory.generations import image_urls
from adapters.memory.paging import page_of
from adapters.memory.styles import thumbnail_urls
from adapters.memory.tables import KeptNotification, Tables, deep_copy
from adapters.memory.transaction import MemoryTransaction
from core.accounts.model import Standing
from core.accounts.pictures import picture_urls
from core.derivatives import original
from core.identifiers import GenerationId, NotificationId, StyleId, UserId
from core.notifications.errors import NotificationNotFound
from core.notifications.model import Notification
from core.notifications.repository import Notifications
from core.notifications.views import Actor, NotificationItem, NotificationsReader, Target
from core.paging import Keyset, Page, PageRequest
from core.ports import changes
from core.ports.blob_store import BlobStore
from core.ports.notifier import Notifier


class MemoryNotifier(Notifier):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def notify(self, notification: Notification) -> None:
        kept = KeptNotification(deep_copy(notification))

        def operation(tables: Tables) -> None:
            recipient = tables.users.get(notification.recipient)
            if recipient is None or recipient.standing not in (Standing.PRESENT, Standing.SUSPENDED):
                return
            reason = (notification.recipient, notification.reason)
            if tables.reasons.setdefault(reason, notification.id) == notification.id:
                tables.notifications[notification.id] = kept

        self._transaction.write(operation)
        self._transaction.notify_after_commit(changes.notifications(notification.recipient))


class MemoryNotifications(Notifications):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def mark_read(self, recipient: UserId, notification_id: NotificationId, *, at: datetime) -> None:
        def operation(tables: Tables) -> None:
            kept = tables.notifications.get(notification_id)
            if kept is None or kept.notification.recipient != recipient:
                raise NotificationNotFound
            tables.notifications[notification_id] = _read(kept, at)

        await self._transaction.lock("notifications", recipient)
        self._transaction.write(operation)

    async def mark_all_read(self, recipient: UserId, *, at: datetime) -> int:
        await self._transaction.lock("notifications", recipient)
        unread = _unread(self._transaction.tables, recipient)

        def operation(tables: Tables) -> None:
            for kept in unread:
                tables.notifications[kept.notification.id] = _read(kept, at)

        self._transaction.write(operation)
        return len(unread)

    async def purge_read(self, *, before: datetime, limit: int) -> int:
        def operation(tables: Tables) -> int:
            read = [kept for kept in tables.notifications.values() if kept.read_at and kept.read_at <= before][:limit]
            for kept in read:
                del tables.notifications[kept.notification.id]
                del tables.reasons[kept.notification.recipient, kept.notification.reason]
            return len(read)

        return self._transaction.write(operation)


class MemoryNotificationsReader(NotificationsReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def list(
        self, recipient: UserId, *, unread_only: bool, page: PageRequest
    ) -> tuple[Page[NotificationItem], int]:
        tables = self._reads.tables
        unread = _unread(tables, recipient)
        rows = unread if unread_only else _of(tables, recipient)
        shown, following = page_of(rows, place=_place, page=page)
        return Page([await self._item(kept) for kept in shown], following), len(unread)

    async def _item(self, kept: KeptNotification) -> NotificationItem:
        notification = kept.notification
        return NotificationItem(
            id=notification.id,
            type=notification.type.value,
            actor=self._actor(notification.actor),
            target_type=notification.target_type,
            target_id=notification.target_id,
            target=await self._target(notification),
            metadata=deep_copy(notification).metadata,
            is_read=kept.read_at is not None,
            created_at=notification.at,
        )

    def _actor(self, user_id: UserId | None) -> Actor | None:
        user = None if user_id is None else self._reads.tables.users.get(user_id)
        if user is None:
            return None
        images = picture_urls(user.profile_image, self._blobs)
        return Actor(user.id, user.username, original(images), images)

    async def _target(self, notification: Notification) -> Target | None:
        match notification.target_type, notification.target_id:
            case "user", int(target_id):
                return self._user(UserId(target_id))
            case "style", int(target_id):
                return await self._style(StyleId(target_id))
            case "generation", int(target_id):
                return await self._generation(GenerationId(target_id), notification.recipient)
            case _:
                return None

    def _user(self, user_id: UserId) -> Target | None:
        user = self._reads.tables.users.get(user_id)
        if user is None:
            return None
        images = picture_urls(user.profile_image, self._blobs)
        return Target(user_id, user.username, original(images), images=images)

    async def _style(self, style_id: StyleId) -> Target | None:
        style = self._reads.tables.styles.get(style_id)
        if style is None:
            return None
        images = await thumbnail_urls(self._reads.tables, style, self._blobs)
        return Target(style_id, style.name, original(images), images=images)

    async def _generation(self, generation_id: GenerationId, recipient: UserId) -> Target | None:
        generation = self._reads.tables.generations.get(generation_id)
        if generation is None:
            return None
        style = self._reads.tables.styles[generation.style_id]
        images = await image_urls(generation, recipient, self._blobs)
        url = original(images)
        return Target(generation_id, style.name, image_url=url, result_url=url, images=images)


def _of(tables: Tables, recipient: UserId) -> list[KeptNotification]:
    return [kept for kept in tables.notifications.values() if kept.notification.recipient == recipient]


def _unread(tables: Tables, recipient: UserId) -> list[KeptNotification]:
    return [kept for kept in _of(tables, recipient) if kept.read_at is None]


def _read(kept: KeptNotification, at: datetime) -> KeptNotification:
    return msgspec.structs.replace(kept, read_at=kept.read_at or at)


def _place(kept: KeptNotification) -> Keyset:
    return Keyset(0, kept.notification.at, kept.notification.id)
