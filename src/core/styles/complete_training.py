from dataclasses import dataclass

from core.identifiers import StyleId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.model import TrainingStatus
from core.styles.repository import Styles
from core.tasks.outcome import Outcome


@dataclass(frozen=True, slots=True)
class CompleteTraining:
    """Record a style's model, open the style for generations and notify the artist, once.

    Accepted also after a failure and while a retry is pending: the training server repeats a failed task by itself. The
    result of the retry's task is then ignored.
    """

    styles: Styles
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, style_id: StyleId, *, model_path: str, metric: dict[str, object] | None) -> Outcome:
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            if style.training_status is TrainingStatus.COMPLETED:
                return Outcome(applied=False, status=style.training_status.value)
            style = style.complete_training(at=self.clock.now(), model_path=model_path, metric=metric)
            await self.styles.save(style)
            await self.notifier.notify(
                Notification(
                    id=await self.ids.notification(),
                    recipient=style.artist_id,
                    type=NotificationType.STYLE_TRAINING_COMPLETE,
                    reason=f"training:{style.task_id}:completed",
                    target_type="style",
                    target_id=style.id,
                    at=style.updated_at,
                    metadata={"style_name": style.name},
                )
            )
            return Outcome(applied=True, status=style.training_status.value)
