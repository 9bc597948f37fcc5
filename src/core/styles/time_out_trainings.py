import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from core.errors import Category, DomainError
from core.identifiers import VersionId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.fail_training import FailTraining
from core.styles.repository import StyleVersions
from core.tasks.outcome import TIMED_OUT

TrainingTimeout = NewType("TrainingTimeout", timedelta)
"""How long a training may go without activity."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TimeOutTrainings:
    """Fail trainings that are stalled, one batch.

    Waiting in the outbox does not count as stalled. Safe to run concurrently. An error in one does not stop the others.
    """

    versions: StyleVersions
    fail_training: FailTraining
    transaction: Transaction
    clock: Clock
    timeout: TrainingTimeout

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many were failed."""
        now = self.clock.now()
        since = now - self.timeout
        async with self.transaction:
            await self.versions.restart_time_outs(inactive_since=since, at=now)
            version_ids = await self.versions.stalled(since=since, limit=limit)
        return sum([await self._fail(version_id, since) for version_id in version_ids])

    async def _fail(self, version_id: VersionId, since: datetime) -> bool:
        try:
            return (await self.fail_training(version_id, TIMED_OUT, inactive_since=since)).applied
        except DomainError as error:
            if error.category is Category.UNAVAILABLE:
                raise
            _log.exception("training cannot be timed out version=%s", version_id)
            return False
