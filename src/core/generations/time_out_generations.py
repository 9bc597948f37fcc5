import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from core.errors import Category, DomainError
from core.generations.fail_generation import FailGeneration
from core.generations.repository import Generations
from core.identifiers import GenerationId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.tasks.outcome import TIMED_OUT

GenerationTimeout = NewType("GenerationTimeout", timedelta)
"""How long an attempt may go without activity."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TimeOutGenerations:
    """Fail attempts that are stalled, one batch.

    Waiting in the broker's queue counts as stalled, so that tokens are not held without end; waiting in the outbox
    does not. Safe to run concurrently: each generation is checked again under its lock. An error in one does not stop
    the others.
    """

    generations: Generations
    fail_generation: FailGeneration
    transaction: Transaction
    clock: Clock
    timeout: GenerationTimeout

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many attempts were failed."""
        now = self.clock.now()
        since = now - self.timeout
        async with self.transaction:
            await self.generations.restart_time_outs(inactive_since=since, at=now)
            generation_ids = await self.generations.stalled(since=since, limit=limit)
        return sum([await self._fail(generation_id, since) for generation_id in generation_ids])

    async def _fail(self, generation_id: GenerationId, since: datetime) -> bool:
        try:
            return (await self.fail_generation(generation_id, TIMED_OUT, inactive_since=since)).applied
        except DomainError as error:
            if error.category is Category.UNAVAILABLE:
                raise
            _log.exception("generation cannot be timed out generation=%s", generation_id)
            return False
