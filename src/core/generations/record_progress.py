from dataclasses import dataclass

from core.generations.model import GenerationProgress
from core.generations.repository import Generations
from core.identifiers import GenerationId
from core.ports.clock import Clock
from core.tasks.outcome import Outcome


@dataclass(frozen=True, slots=True)
class RecordProgress:
    """Record the progress of a generation. Progress never moves backwards."""

    generations: Generations
    clock: Clock

    async def __call__(
        self,
        generation_id: GenerationId,
        *,
        current_step: int,
        total_steps: int,
        progress_percent: float,
        estimated_seconds: int | None,
    ) -> Outcome:
        progress = GenerationProgress(current_step, total_steps, progress_percent, estimated_seconds, self.clock.now())
        return await self.generations.advance(generation_id, progress)
