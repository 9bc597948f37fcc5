from typing import Annotated

import msgspec
from dishka import FromDishka
from litestar import Controller
from litestar.di import NamedDependency
from litestar.params import FromQuery, HeaderParameter

from core.identifiers import NotificationId
from core.live_events import Watcher
from core.notifications.errors import NotificationNotFound
from core.notifications.mark_all_read import MarkAllRead
from core.notifications.mark_read import MarkRead
from core.notifications.views import NotificationItem, NotificationsReader
from core.notifications.watch_notifications import WatchNotifications
from core.requester import Requester
from entrypoints.http.envelope import Success
from entrypoints.http.open_streams import TooManyStreams
from entrypoints.http.operation import get, patch, post
from entrypoints.http.paging import Paging
from entrypoints.http.params import PathId
from entrypoints.http.security.access import signed_in
from entrypoints.http.streams import LAST_EVENT_ID, MEDIA_TYPE, EventStream


class NotificationResults(msgspec.Struct, frozen=True):
    results: list[NotificationItem]
    next_cursor: str | None
    """Opaque; valid for the same list in the same order only."""
    has_more: bool
    unread_count: int
    """Of all notifications, not only of this page."""


class Read(msgspec.Struct, frozen=True):
    id: NotificationId
    is_read: bool


class AllRead(msgspec.Struct, frozen=True):
    updated_count: int


class NotificationsController(Controller):
    path = "/api/notifications"
    tags = ("Notifications",)

    @get("/", guard=signed_in, summary="List my notifications")
    async def list(
        self,
        requester: NamedDependency[Requester],
        paging: NamedDependency[Paging],
        notifications: FromDishka[NotificationsReader],
        unread_only: FromQuery[bool] = False,
    ) -> Success[NotificationResults]:
        page, unread = await notifications.list(
            requester.id, unread_only=unread_only, page=paging.request("notifications")
        )
        cursor = paging.next_cursor("notifications", page)
        return Success(data=NotificationResults(page.rows, cursor, cursor is not None, unread))

    @get(
        "/events",
        guard=signed_in,
        refusals=(TooManyStreams,),
        summary="Stream notifications (SSE)",
        media_type=MEDIA_TYPE,
        answers=(NotificationItem,),
        events=("notification",),
    )
    async def watch(
        self,
        watcher: NamedDependency[Watcher],
        watch_notifications: FromDishka[WatchNotifications],
        last_event_id: Annotated[str, HeaderParameter(name=LAST_EVENT_ID)] = "",
    ) -> EventStream:
        return EventStream(watch_notifications(watcher, known=last_event_id))

    @patch(
        "/{notification_id:int}/read",
        guard=signed_in,
        refusals=(NotificationNotFound,),
        summary="Mark a notification as read",
    )
    async def read(
        self,
        notification_id: PathId[NotificationId],
        requester: NamedDependency[Requester],
        mark_read: FromDishka[MarkRead],
    ) -> Success[Read]:
        await mark_read(requester.id, notification_id)
        return Success(data=Read(notification_id, is_read=True))

    @post("/read-all", guard=signed_in, summary="Mark all notifications as read", status=200)
    async def read_all(
        self, requester: NamedDependency[Requester], mark_all_read: FromDishka[MarkAllRead]
    ) -> Success[AllRead]:
        return Success(data=AllRead(await mark_all_read(requester.id)))
