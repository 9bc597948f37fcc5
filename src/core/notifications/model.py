from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

import msgspec

from core.identifiers import NotificationId, UserId

KEPT_READ = timedelta(days=30)
"""How long a notification is kept after it was read."""


class NotificationType(Enum):
    FOLLOW = "follow"
    LIKE = "like"
    COMMENT = "comment"
    GENERATION_COMPLETE = "generation_complete"
    GENERATION_FAILED = "generation_failed"
    STYLE_TRAINING_COMPLETE = "style_training_complete"
    STYLE_TRAINING_FAILED = "style_training_failed"
    STYLE_WITHDRAWN = "style_withdrawn"
    """By an admin."""
    REPORT_RESOLVED = "report_resolved"
    """To those who have reported something: what an admin has decided."""
    CONTENT_REVIEWED = "content_reviewed"
    """To those whose it is."""
    NEW_SIGN_IN = "new_sign_in"
    """From a browser in which the recipient had not signed in before; its session is the target."""
    PURCHASE_REFUNDED = "purchase_refunded"
    """In part or in full: the money has gone back, and the tokens are gone."""
    REFUND_REFUSED = "refund_refused"
    """By the payment provider: the tokens are available again."""
    PURCHASE_CHARGED_BACK = "purchase_charged_back"
    """Money has gone back without a refund, and its tokens were taken back."""


TargetType = Literal["generation", "style", "comment", "user", "session", "purchase"]


class Notification(msgspec.Struct, frozen=True):
    id: NotificationId
    recipient: UserId
    type: NotificationType
    reason: str
    """The event, unique per recipient: a repeated event is not notified again."""
    target_type: TargetType
    target_id: int | None
    """None for a purchase, whose order id is in the metadata."""
    at: datetime
    actor: UserId | None = None
    """The user who caused the event; None if the system did."""
    metadata: dict[str, object] = {}
