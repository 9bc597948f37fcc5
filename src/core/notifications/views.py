from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import NotificationId, UserId
from core.notifications.model import TargetType
from core.paging import Page, PageRequest


class Actor(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    profile_image: str | None


class Target(msgspec.Struct, frozen=True):
    """What the notification is about, as it is now."""

    id: int
    name: str | None
    """A style's name (for a generation: that of its style) or a user's username."""
    image_url: str | None
    """A style's thumbnail, a user's picture, or the generation's image as far as the recipient may see it."""
    result_url: str | None = None
    """The generation's image again; None for anything else."""


class NotificationItem(msgspec.Struct, frozen=True):
    id: NotificationId
    type: str
    actor: Actor | None
    target_type: TargetType
    target_id: int
    target: Target | None
    """None when it is no longer there."""
    metadata: dict[str, object]
    is_read: bool
    created_at: datetime


class NotificationsReader(Protocol):
    async def list(
        self, recipient: UserId, *, unread_only: bool, page: PageRequest
    ) -> tuple[Page[NotificationItem], int]:
        """Newest first, and how many are unread in all."""
        ...
