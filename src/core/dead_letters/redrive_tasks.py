import logging
from dataclasses import dataclass

import msgspec

from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.errors import Category, DomainError
from core.generations.repository import Generations
from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.dead_letters import DeadLetters
from core.ports.transaction import Transaction
from core.styles.repository import StyleVersions
from core.tasks.model import GenerationTask, PendingTask, Task, task_of

_log = logging.getLogger(__name__)


class Redriven(msgspec.Struct, frozen=True):
    """The result of a redrive: counts of messages."""

    moved: int
    """Published to their queues and confirmed."""
    obsolete: int
    """Removed, because the result is no longer needed."""
    unconfirmed: int
    """Not confirmed by the broker; still dead-lettered."""
    foreign: int
    """Not tasks of this service; still dead-lettered."""


@dataclass(frozen=True, slots=True)
class RedriveTasks:
    """Publish dead-lettered tasks again if their result is still needed.

    A message is removed only after the broker has confirmed the new one: a crash in between leaves both, never none.
    """

    dead_letters: DeadLetters
    broker: Broker
    generations: Generations
    versions: StyleVersions
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, *, limit: int = 1000) -> Redriven:
        """Process up to `limit` messages, oldest first. Raises DeadLettersUnavailable."""
        wanted: dict[int, PendingTask] = {}
        obsolete: list[int] = []
        foreign = 0
        async with self.dead_letters.take(limit=limit) as letters:
            for index, body in enumerate(letters.bodies):
                try:
                    task = task_of(body)
                except ValueError:
                    foreign += 1
                    continue
                if await self._is_needed(task):
                    wanted[index] = PendingTask(task.task_id, task.type, body)
                else:
                    obsolete.append(index)
                    _log.info("dead-lettered task no longer needed task=%s", task.task_id)
            await letters.remove(obsolete)
            confirmed = set(await self.broker.publish(list(wanted.values())))
            moved = [index for index, task in wanted.items() if task.task_id in confirmed]
            await letters.remove(moved)
        redriven = Redriven(len(moved), len(obsolete), len(wanted) - len(moved), foreign)
        async with self.transaction:
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.TASKS_REDRIVEN,
                    "dead_letters",
                    None,
                    self.clock.now(),
                    after=msgspec.structs.asdict(redriven),
                )
            )
        return redriven

    async def _is_needed(self, task: Task) -> bool:
        """Whether the task is the current attempt of a generation or training that has not ended."""
        try:
            async with self.transaction:
                if isinstance(task, GenerationTask):
                    generation = await self.generations.of_id(task.data.generation_id)
                    return generation.task_id == task.task_id and not generation.status.ended
                version = await self.versions.of_id(task.data.style_id)
                return version.task_id == task.task_id and not version.training_status.ended
        except DomainError as error:
            if error.category is Category.NOT_FOUND:
                return False
            raise
