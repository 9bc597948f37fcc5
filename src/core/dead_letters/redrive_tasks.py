import logging
from dataclasses import dataclass

import msgspec

from core.errors import Category, DomainError
from core.generations.repository import Generations
from core.ports.broker import Broker
from core.ports.dead_letters import DeadLetters
from core.ports.transaction import Transaction
from core.styles.repository import Styles
from core.tasks.model import GenerationTask, PendingTask, Task, task_of

_log = logging.getLogger(__name__)


class Redriven(msgspec.Struct, frozen=True):
    """What became of messages that had been put aside."""

    moved: int
    """In their queue again, as the broker has confirmed."""
    over: int
    """Removed, because nobody waits for what they would make."""
    unconfirmed: int
    """Wanted, but not taken by the broker: they stay put aside."""
    foreign: int
    """No tasks of this service: they stay put aside."""


@dataclass(frozen=True, slots=True)
class RedriveTasks:
    """Hand tasks that the broker has put aside to their queues again, those that somebody still waits for.

    One is removed only after its queue has it: a crash between leaves it in both, never in none.
    """

    dead_letters: DeadLetters
    broker: Broker
    generations: Generations
    styles: Styles
    transaction: Transaction

    async def __call__(self, *, limit: int = 1000) -> Redriven:
        """Look at up to `limit` messages, those put aside first first. Raises DeadLettersUnavailable."""
        wanted: dict[int, PendingTask] = {}
        over: list[int] = []
        foreign = 0
        async with self.dead_letters.take(limit=limit) as letters:
            for index, body in enumerate(letters.bodies):
                try:
                    task = task_of(body)
                except ValueError:
                    foreign += 1
                    continue
                if await self._is_waited_for(task):
                    wanted[index] = PendingTask(task.task_id, task.type, body)
                else:
                    over.append(index)
                    _log.info("Nobody waits for task %s any more.", task.task_id)
            await letters.remove(over)
            confirmed = set(await self.broker.publish(list(wanted.values())))
            moved = [index for index, task in wanted.items() if task.task_id in confirmed]
            await letters.remove(moved)
        return Redriven(len(moved), len(over), len(wanted) - len(moved), foreign)

    async def _is_waited_for(self, task: Task) -> bool:
        """Whether it is the present attempt at something that has not ended."""
        try:
            async with self.transaction:
                if isinstance(task, GenerationTask):
                    generation = await self.generations.of_id(task.data.generation_id)
                    return generation.task_id == task.task_id and not generation.status.ended
                style = await self.styles.of_id(task.data.style_id)
                return style.task_id == task.task_id and not style.training_status.ended
        except DomainError as error:
            if error.category is Category.NOT_FOUND:
                return False
            raise
