from datetime import datetime
from typing import Protocol

import msgspec

from core.derivatives import ImageUrls
from core.identifiers import NotificationId, UserId
from core.notifications.model import TargetType
from core.paging import Page, PageRequest


class Actor(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""


class Target(msgspec.Struct, frozen=True):
    """The current state of what the notification is about."""

    id: int
    name: str | None
    """A style's name (for a generation: that of its style) or a user's username."""
    image_url: str | None
    """A style's thumbnail, a user's picture, or a generation's image if the recipient may see it."""
    result_url: str | None = None
    """Same as `image_url`, for generations only."""
    images: ImageUrls | None = None
    """`image_url` in all sizes."""


class NotificationItem(msgspec.Struct, frozen=True):
    id: NotificationId
    type: str
    actor: Actor | None
    target_type: TargetType
    target_id: int | None
    """Null for a purchase: its `order_id` is in `metadata`."""
    target: Target | None
    """Null if it no longer exists, and for a comment, a session or a purchase."""
    metadata: dict[str, object]
    is_read: bool
    created_at: datetime


class NotificationsReader(Protocol):
    async def list(
        self, recipient: UserId, *, unread_only: bool, page: PageRequest
    ) -> tuple[Page[NotificationItem], int]:
        """Notifications, newest first, and the total number of unread ones."""
        ...
