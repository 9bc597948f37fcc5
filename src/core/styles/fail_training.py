from dataclasses import dataclass
from datetime import datetime

from core.identifiers import StyleId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.repository import Styles
from core.tasks.outcome import Failure, Outcome


@dataclass(frozen=True, slots=True)
class FailTraining:
    """A training has failed: say so to the artist, once, and why."""

    styles: Styles
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, style_id: StyleId, failure: Failure, *, silent_since: datetime | None = None) -> Outcome:
        """With `silent_since` the failure is ours to find, and counts unless the training moved after that."""
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            moved = silent_since is not None and style.updated_at > silent_since
            if style.training_status.ended or moved:
                return Outcome(applied=False, status=style.training_status.value)
            style = style.failed_training(at=self.clock.now(), failure=failure)
            await self.styles.save(style)
            await self.notifier.notify(
                Notification(
                    id=await self.ids.notification(),
                    recipient=style.artist_id,
                    type=NotificationType.STYLE_TRAINING_FAILED,
                    reason=f"training:{style.task_id}",
                    target_type="style",
                    target_id=style.id,
                    at=style.updated_at,
                    metadata={"style_name": style.name, "error_code": failure.code, "error_message": failure.message},
                )
            )
            return Outcome(applied=True, status=style.training_status.value)
