from dataclasses import dataclass
from datetime import timedelta
from typing import NewType

from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.fail_training import FailTraining
from core.styles.repository import Styles
from core.tasks.outcome import TIMED_OUT

TrainingTimeout = NewType("TrainingTimeout", timedelta)
"""How long a training may show no sign of life."""


@dataclass(frozen=True, slots=True)
class TimeOutTrainings:
    """Count trainings that show no sign of life as failed, one batch; any number may run at once."""

    styles: Styles
    fail_training: FailTraining
    transaction: Transaction
    clock: Clock
    timeout: TrainingTimeout

    async def __call__(self, *, limit: int = 100) -> int:
        """Answers how many have failed so."""
        since = self.clock.now() - self.timeout
        async with self.transaction:
            style_ids = await self.styles.silent(since=since, limit=limit)
        outcomes = [await self.fail_training(style_id, TIMED_OUT, silent_since=since) for style_id in style_ids]
        return sum(outcome.applied for outcome in outcomes)
