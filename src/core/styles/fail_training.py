from dataclasses import dataclass
from datetime import datetime

from core.identifiers import NotificationId, VersionId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.model import Style
from core.styles.repository import Styles, StyleVersions
from core.styles.version import StyleVersion
from core.tasks.outcome import Failure, Outcome


@dataclass(frozen=True, slots=True)
class FailTraining:
    """Record a failed training and notify the artist, once per attempt. The version in use stays as it is."""

    styles: Styles
    versions: StyleVersions
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(
        self, version_id: VersionId, failure: Failure, *, inactive_since: datetime | None = None
    ) -> Outcome:
        """With `inactive_since` the caller detected a time-out: it counts only if there was no activity after that.

        Otherwise ignored after the training has ended, and while a retry is pending if it may be about the old task
        (`StyleVersion.fails_with_old_task`).
        """
        async with self.transaction:
            version = await self.versions.of_id(version_id, lock=True)
            now = self.clock.now()
            passed_over = (
                version.fails_with_old_task(at=now) if inactive_since is None else version.updated_at > inactive_since
            )
            if version.training_status.ended or passed_over:
                return Outcome(applied=False, status=version.training_status.value)
            version = version.fail_training(at=now, failure=failure)
            await self.versions.save(version)
            style = await self.styles.of_id(version.style_id)
            await self.notifier.notify(training_failed(await self.ids.notification(), style, version, failure))
            return Outcome(applied=True, status=version.training_status.value)


def training_failed(
    notification_id: NotificationId, style: Style, version: StyleVersion, failure: Failure
) -> Notification:
    return Notification(
        id=notification_id,
        recipient=style.artist_id,
        type=NotificationType.STYLE_TRAINING_FAILED,
        reason=f"training:{version.task_id}:failed",
        target_type="style",
        target_id=style.id,
        at=version.updated_at,
        metadata={
            "style_name": style.name,
            "version": version.number,
            "error_code": failure.code,
            "error_message": failure.message,
        },
    )
