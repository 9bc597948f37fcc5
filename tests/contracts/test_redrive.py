"""Dead letters go back to their queues if they are still needed."""

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from core.accounts.model import User
from core.audit.model import Operator
from core.dead_letters.redrive_tasks import Redriven, RedriveTasks
from core.generations.cancel_generation import CancelGeneration
from core.generations.fail_generation import FailGeneration
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.identifiers import GenerationId, TaskId, VersionId
from core.ports.broker import Broker
from core.ports.database import DatabaseUnavailable
from core.styles.complete_training import CompleteTraining
from core.styles.fail_training import FailTraining
from core.styles.model import Style
from core.styles.retrain_style import RetrainStyle
from core.tasks.model import PendingTask, TrainingOrder, pending, training_task
from core.tasks.outcome import Failure
from tests.support.world import World


class Watching(Broker):
    """Confirms all but some, and records the dead letters at that time."""

    def __init__(self, *refused: TaskId) -> None:
        self.taken: list[PendingTask] = []
        self._refused = refused

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        self.taken += tasks
        return [task.task_id for task in tasks if task.task_id not in self._refused]

    async def reachable(self) -> bool:
        return True


class Gone(Broker):
    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        raise SystemExit

    async def reachable(self) -> bool:
        return False


@pytest.fixture
def dead() -> MemoryDeadLetters:
    return MemoryDeadLetters()


async def redrive(world: World, dead: MemoryDeadLetters, broker: Broker, *, limit: int = 100) -> Redriven:
    return await world.use_case(RedriveTasks, dead_letters=dead, broker=broker)(Operator(None), limit=limit)


async def dead_letter(world: World, dead: MemoryDeadLetters) -> list[PendingTask]:
    """All tasks of the outbox are published and dead-lettered."""
    tasks = await world.tasks()
    await world.publish()
    dead.bodies += [task.body for task in tasks]
    return tasks


async def an_image(world: World, ann: User) -> GenerationId:
    style = await world.style(await world.artist("mia"))
    return (await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))).id


async def a_training(world: World, dead: MemoryDeadLetters) -> Style:
    """A style whose task has been dead-lettered."""
    style = await world.untrained_style(await world.artist("mia"))
    order = TrainingOrder(style.version_id, [], [])
    dead.bodies.append(
        pending(
            training_task(
                (await world.training_of(style.id)).task_id, order, at=style.created_at, webhooks=world.webhooks
            )
        ).body
    )
    return style


async def test_a_needed_task_is_redriven_byte_for_byte(world: World, dead: MemoryDeadLetters, ann: User) -> None:
    await an_image(world, ann)
    [task] = await dead_letter(world, dead)
    broker = Watching()

    assert await redrive(world, dead, broker) == Redriven(moved=1, obsolete=0, unconfirmed=0, foreign=0)

    assert broker.taken == [task]
    assert dead.bodies == []


async def test_a_needed_training_task_is_redriven(world: World, dead: MemoryDeadLetters) -> None:
    await a_training(world, dead)
    [body] = dead.bodies
    broker = Watching()

    assert await redrive(world, dead, broker) == Redriven(moved=1, obsolete=0, unconfirmed=0, foreign=0)

    assert [(task.queue, task.body) for task in broker.taken] == [("model_training", body)]


async def test_the_task_of_an_ended_generation_is_removed(world: World, dead: MemoryDeadLetters, ann: User) -> None:
    image = await an_image(world, ann)
    await dead_letter(world, dead)
    await world.use_case(CancelGeneration)(ann.id, image)

    await assert_over(world, dead)


async def test_the_task_of_a_superseded_attempt_is_removed(world: World, dead: MemoryDeadLetters, ann: User) -> None:
    image = await an_image(world, ann)
    await dead_letter(world, dead)
    await world.use_case(FailGeneration)(image, Failure("GPU_OOM", "Out of memory."))

    await assert_over(world, dead)


async def test_the_task_of_a_completed_training_is_removed(world: World, dead: MemoryDeadLetters) -> None:
    style = await a_training(world, dead)
    await world.use_case(CompleteTraining)(style.version_id, model_path="gs://models/1", metric=None)

    await assert_over(world, dead)


async def test_the_task_of_a_superseded_training_is_removed(world: World, dead: MemoryDeadLetters) -> None:
    style = await a_training(world, dead)
    await world.use_case(FailTraining)(style.version_id, Failure("TRAINING_ERROR", "The data is no good."))
    await world.use_case(RetrainStyle)(style.artist_id, style.id)

    await assert_over(world, dead)


async def test_the_task_of_an_unknown_generation_is_removed(world: World, dead: MemoryDeadLetters) -> None:
    order = TrainingOrder(VersionId(404), [], [])
    task = training_task(world.ids.task(), order, at=world.clock.now(), webhooks=world.webhooks)
    dead.bodies.append(pending(task).body)

    await assert_over(world, dead)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"type": "laundry"}', b'{"type": "image_generation"}'])
async def test_malformed_messages_are_kept(world: World, dead: MemoryDeadLetters, body: bytes) -> None:
    dead.bodies.append(body)

    assert await redrive(world, dead, Watching()) == Redriven(moved=0, obsolete=0, unconfirmed=0, foreign=1)

    assert dead.bodies == [body]


async def test_unconfirmed_tasks_are_kept(world: World, dead: MemoryDeadLetters, ann: User) -> None:
    await an_image(world, ann)
    style = await world.style(await world.artist("leo"))
    await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["dog"]))
    one, other = await dead_letter(world, dead)

    assert await redrive(world, dead, Watching(one.task_id)) == Redriven(moved=1, obsolete=0, unconfirmed=1, foreign=0)

    assert dead.bodies == [one.body]
    assert other.body not in dead.bodies


async def test_a_redrive_killed_before_the_confirm_loses_nothing(
    world: World, dead: MemoryDeadLetters, ann: User
) -> None:
    await an_image(world, ann)
    [task] = await dead_letter(world, dead)

    with pytest.raises(SystemExit):
        await redrive(world, dead, Gone())

    assert dead.bodies == [task.body]


async def test_a_database_outage_redrives_nothing(
    world: World, dead: MemoryDeadLetters, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_image(world, ann)
    [task] = await dead_letter(world, dead)

    async def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable

    redriving = world.use_case(RedriveTasks, dead_letters=dead, broker=(broker := Watching()))
    monkeypatch.setattr(type(redriving.generations), "of_id", fail)
    with pytest.raises(DatabaseUnavailable):
        await redriving(Operator(None))

    assert (dead.bodies, broker.taken) == ([task.body], [])


async def test_redriving_respects_the_limit(world: World, dead: MemoryDeadLetters, ann: User) -> None:
    style = await world.style(await world.artist("mia"))
    for tag in ("cat", "dog", "owl"):
        await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, [tag]))
    tasks = await dead_letter(world, dead)
    broker = Watching()

    assert (await redrive(world, dead, broker, limit=2)).moved == 2

    assert broker.taken == tasks[:2]
    assert dead.bodies == [tasks[2].body]


async def assert_over(world: World, dead: MemoryDeadLetters) -> None:
    broker = Watching()
    assert await redrive(world, dead, broker) == Redriven(moved=0, obsolete=1, unconfirmed=0, foreign=0)
    assert (broker.taken, dead.bodies) == ([], [])
