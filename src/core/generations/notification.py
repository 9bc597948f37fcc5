from core.generations.model import Generation
from core.identifiers import NotificationId
from core.notifications.model import Notification, NotificationType


def end_notification(notification_id: NotificationId, generation: Generation) -> Notification:
    """Notifies the owner that a generation was completed, or why it failed and how many tokens were refunded."""
    type, metadata = NotificationType.GENERATION_COMPLETE, dict[str, object]()
    if generation.failure is not None:
        type = NotificationType.GENERATION_FAILED
        metadata = {
            "error_code": generation.failure.code,
            "error_message": generation.failure.message,
            "refunded_tokens": generation.consumed_tokens,
        }
    return Notification(
        id=notification_id,
        recipient=generation.owner_id,
        type=type,
        reason=f"generation:{generation.id}:ended",
        target_type="generation",
        target_id=generation.id,
        at=generation.updated_at,
        metadata=metadata,
    )
