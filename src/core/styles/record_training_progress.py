from dataclasses import dataclass

from core.identifiers import VersionId
from core.ports.clock import Clock
from core.styles.repository import StyleVersions
from core.styles.version import TrainingProgress
from core.tasks.outcome import Outcome


@dataclass(frozen=True, slots=True)
class RecordTrainingProgress:
    """Record the progress of a training. Progress never moves backwards."""

    versions: StyleVersions
    clock: Clock

    async def __call__(
        self,
        version_id: VersionId,
        *,
        current_epoch: int,
        total_epochs: int,
        progress_percent: float,
        estimated_seconds: int | None,
    ) -> Outcome:
        progress = TrainingProgress(current_epoch, total_epochs, progress_percent, estimated_seconds, self.clock.now())
        return await self.versions.advance(version_id, progress)
