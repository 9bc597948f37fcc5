from dataclasses import dataclass

from core.identifiers import StyleId
from core.ports.clock import Clock
from core.styles.model import TrainingProgress
from core.styles.repository import Styles
from core.tasks.outcome import Outcome


@dataclass(frozen=True, slots=True)
class RecordTrainingProgress:
    """Record the progress of a training. Progress never moves backwards."""

    styles: Styles
    clock: Clock

    async def __call__(
        self,
        style_id: StyleId,
        *,
        current_epoch: int,
        total_epochs: int,
        progress_percent: float,
        estimated_seconds: int | None,
    ) -> Outcome:
        progress = TrainingProgress(current_epoch, total_epochs, progress_percent, estimated_seconds, self.clock.now())
        return await self.styles.advance(style_id, progress)
