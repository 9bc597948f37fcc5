from datetime import timedelta

from core.identifiers import TaskId, VersionId
from core.ports.broker import Broker
from core.tasks.model import PendingTask, Queue, TrainingOrder, TrainingTask, pending, training_task
from core.tasks.publish_tasks import PublishTasks
from tests.support.memory_world import MemoryWorld

QUEUE: Queue = "model_training"


class Confirming(Broker):
    """Records all tasks, and confirms all but some."""

    def __init__(self, *refused: TaskId) -> None:
        self.published: list[PendingTask] = []
        self._refused = refused

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        self.published += tasks
        return [task.task_id for task in tasks if task.task_id not in self._refused]

    async def reachable(self) -> bool:
        return True


async def test_due_tasks_are_published_once_in_order(world: MemoryWorld) -> None:
    tasks = [await put(world) for _ in range(3)]
    later = await put(world, seconds=30)
    broker = Confirming()
    publish = world.use_case(PublishTasks, broker=broker)

    assert await publish(QUEUE) == (3, 3)
    assert await publish(QUEUE) == (0, 0)
    assert broker.published == [pending(task) for task in tasks]

    world.clock.advance(timedelta(seconds=30))
    assert await publish(QUEUE) == (1, 1)
    assert broker.published[3:] == [pending(later)]


async def test_unconfirmed_tasks_are_published_again_unchanged(world: MemoryWorld) -> None:
    one, other = await put(world), await put(world)

    assert await world.use_case(PublishTasks, broker=Confirming(one.task_id))(QUEUE) == (2, 1)

    broker = Confirming()
    assert await world.use_case(PublishTasks, broker=broker)(QUEUE) == (1, 1)
    assert broker.published == [pending(one)]
    assert other.task_id not in [task.task_id for task in await world.tasks()]


async def test_tasks_are_published_in_batches(world: MemoryWorld) -> None:
    for _ in range(3):
        await put(world)
    publish = world.use_case(PublishTasks, broker=Confirming())

    assert await publish(QUEUE, limit=2) == (2, 2)
    assert await publish(QUEUE, limit=2) == (1, 1)


async def put(world: MemoryWorld, *, seconds: int = 0) -> TrainingTask:
    now = world.clock.now()
    task = training_task(world.ids.task(), TrainingOrder(VersionId(1), [], []), at=now, webhooks=world.webhooks)
    async with world.block() as scope:
        await scope.queue.put(task, due=now + timedelta(seconds=seconds))
    return task
