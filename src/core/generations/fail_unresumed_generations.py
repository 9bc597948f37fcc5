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

RetryGrace = NewType("RetryGrace", timedelta)
"""How long after a failed attempt the inference server may take to report its own retry."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FailUnresumedGenerations:
    """Fail and refund generations whose server did not resume after a failed attempt, one batch.

    Uses the failure that the server reported. Safe to run concurrently: each generation is checked again under its
    lock. An error in one does not stop the others.
    """

    generations: Generations
    fail_generation: FailGeneration
    transaction: Transaction
    clock: Clock
    grace: RetryGrace

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many failed."""
        since = self.clock.now() - self.grace
        async with self.transaction:
            generation_ids = await self.generations.unresumed(since=since, limit=limit)
        return sum([await self._fail(generation_id, since) for generation_id in generation_ids])

    async def _fail(self, generation_id: GenerationId, since: datetime) -> bool:
        try:
            return (await self.fail_generation.unresumed(generation_id, since=since)).applied
        except DomainError as error:
            if error.category is Category.UNAVAILABLE:
                raise
            _log.exception("generation cannot be failed after its grace period generation=%s", generation_id)
            return False
