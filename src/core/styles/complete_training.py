from dataclasses import dataclass

from core.identifiers import VersionId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.repository import Styles, StyleVersions
from core.styles.version import TrainingStatus
from core.tasks.outcome import Outcome


@dataclass(frozen=True, slots=True)
class CompleteTraining:
    """Record a version's model and notify the artist, once.

    The first version is used at once, which opens the style for generations; a later one when the artist chooses it.

    Accepted also after a failure and while a retry is pending: the training server repeats a failed task by itself. The
    result of the retry's task is then ignored.
    """

    styles: Styles
    versions: StyleVersions
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, version_id: VersionId, *, model_path: str, metric: dict[str, object] | None) -> Outcome:
        async with self.transaction:
            version = await self.versions.of_id(version_id, lock=True)
            if version.training_status is TrainingStatus.COMPLETED:
                return Outcome(applied=False, status=version.training_status.value)
            style = await self.styles.of_id(version.style_id, lock=True)
            version = version.complete_training(at=self.clock.now(), model_path=model_path, metric=metric)
            await self.versions.save(version)
            if not style.trained:
                await self.styles.save(style.use(version, [], at=version.updated_at))
            await self.notifier.notify(
                Notification(
                    id=await self.ids.notification(),
                    recipient=style.artist_id,
                    type=NotificationType.STYLE_TRAINING_COMPLETE,
                    reason=f"training:{version.task_id}:completed",
                    target_type="style",
                    target_id=style.id,
                    at=version.updated_at,
                    metadata={"style_name": style.name, "version": version.number},
                )
            )
            return Outcome(applied=True, status=version.training_status.value)
