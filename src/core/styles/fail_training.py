from dataclasses import dataclass
from datetime import datetime

from core.identifiers import NotificationId, StyleId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.model import Style
from core.styles.repository import Styles
from core.tasks.outcome import Failure, Outcome


@dataclass(frozen=True, slots=True)
class FailTraining:
    """Record a failed training and notify the artist, once per attempt."""

    styles: Styles
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, style_id: StyleId, failure: Failure, *, inactive_since: datetime | None = None) -> Outcome:
        """With `inactive_since` the caller detected a time-out: it counts only if there was no activity after that.

        Otherwise ignored after the training has ended, and while a retry is pending if it may be about the old task
        (`Style.fails_with_old_task`).
        """
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            now = self.clock.now()
            passed_over = (
                style.fails_with_old_task(at=now) if inactive_since is None else style.updated_at > inactive_since
            )
            if style.training_status.ended or passed_over:
                return Outcome(applied=False, status=style.training_status.value)
            style = style.fail_training(at=now, failure=failure)
            await self.styles.save(style)
            await self.notifier.notify(training_failed(await self.ids.notification(), style, failure))
            return Outcome(applied=True, status=style.training_status.value)


def training_failed(notification_id: NotificationId, style: Style, failure: Failure) -> Notification:
    return Notification(
        id=notification_id,
        recipient=style.artist_id,
        type=NotificationType.STYLE_TRAINING_FAILED,
        reason=f"training:{style.task_id}:failed",
        target_type="style",
        target_id=style.id,
        at=style.updated_at,
        metadata={"style_name": style.name, "error_code": failure.code, "error_message": failure.message},
    )
