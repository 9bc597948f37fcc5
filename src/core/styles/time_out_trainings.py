import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from core.errors import Category, DomainError
from core.identifiers import StyleId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.fail_training import FailTraining
from core.styles.repository import Styles
from core.tasks.outcome import TIMED_OUT

TrainingTimeout = NewType("TrainingTimeout", timedelta)
"""How long a training may show no sign of life."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TimeOutTrainings:
    """Count trainings that show no sign of life as failed, one batch.

    One whose task still waits for the broker has not begun. Any number may run at once. One that cannot be timed out
    stops no other.
    """

    styles: Styles
    fail_training: FailTraining
    transaction: Transaction
    clock: Clock
    timeout: TrainingTimeout

    async def __call__(self, *, limit: int = 100) -> int:
        """Answers how many have failed so."""
        now = self.clock.now()
        since = now - self.timeout
        async with self.transaction:
            await self.styles.put_off(silent_since=since, at=now)
            style_ids = await self.styles.silent(since=since, limit=limit)
        return sum([await self._fail(style_id, since) for style_id in style_ids])

    async def _fail(self, style_id: StyleId, since: datetime) -> bool:
        try:
            return (await self.fail_training(style_id, TIMED_OUT, silent_since=since)).applied
        except DomainError as error:
            if error.category is Category.UNAVAILABLE:
                raise
            _log.exception("The training of style %s cannot be timed out.", style_id)
            return False
