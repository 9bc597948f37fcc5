"""Stalled trainings time out."""

import asyncio

import pytest

from core.accounts.model import User
from core.ports.database import DatabaseUnavailable
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound
from core.styles.fail_training import FailTraining
from core.styles.model import Style
from core.styles.record_training_progress import RecordTrainingProgress
from core.styles.time_out_trainings import TimeOutTrainings, TrainingTimeout
from core.styles.version import TrainingStatus
from core.tasks.model import TrainingOrder, training_task
from tests.contracts.overlap import commit
from tests.contracts.time_outs import MOMENT, PRICE, TIMEOUT, notified, refuse_once
from tests.support.world import World


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia, generation_cost_tokens=PRICE)


async def time_out_trainings(world: World) -> int:
    return await world.use_case(TimeOutTrainings, timeout=TrainingTimeout(TIMEOUT))()


async def test_a_training_without_activity_fails_and_notifies_once(world: World, mia: User) -> None:
    style = await world.untrained_style(mia, "Slow")
    world.clock.advance(TIMEOUT - MOMENT)
    assert await time_out_trainings(world) == 0

    world.clock.advance(MOMENT)
    assert sum(await asyncio.gather(*(time_out_trainings(world) for _ in range(4)))) == 1

    now = await world.training_of(style.id)
    assert now.training_status is TrainingStatus.FAILED
    assert now.failure is not None
    assert now.failure.code == "TIMEOUT"
    [notification] = await notified(world, mia)
    assert notification.type == "style_training_failed"


async def test_an_unpublished_training_does_not_time_out(world: World, mia: User) -> None:
    style = await world.untrained_style(mia, "Slow")
    order = TrainingOrder(style.version_id, [], [])
    task = training_task(
        (await world.training_of(style.id)).task_id, order, at=style.created_at, webhooks=world.webhooks
    )
    await commit(world, lambda ports: ports.queue.put(task))
    world.clock.advance(TIMEOUT)

    assert await time_out_trainings(world) == 0
    await world.publish()
    world.clock.advance(TIMEOUT - MOMENT)
    assert await time_out_trainings(world) == 0
    world.clock.advance(MOMENT)
    assert await time_out_trainings(world) == 1


async def test_a_failed_training_time_out_stops_no_other(
    world: World, mia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("One", "Two", "Three"):
        await world.untrained_style(mia, name)
    world.clock.advance(TIMEOUT)
    refuse_once(monkeypatch, FailTraining, StyleNotFound())

    assert await time_out_trainings(world) == 2
    refuse_once(monkeypatch, FailTraining, DatabaseUnavailable())
    with pytest.raises(DatabaseUnavailable):
        await time_out_trainings(world)


async def test_progress_restarts_the_training_time_out(world: World, mia: User) -> None:
    style = await world.untrained_style(mia, "Slow")
    world.clock.advance(TIMEOUT)
    await world.use_case(RecordTrainingProgress)(
        style.version_id, current_epoch=1, total_epochs=200, progress_percent=0.5, estimated_seconds=None
    )
    assert await time_out_trainings(world) == 0

    world.clock.advance(TIMEOUT)
    assert await time_out_trainings(world) == 1


async def test_ended_trainings_do_not_time_out(world: World, mia: User) -> None:
    style = await world.untrained_style(mia, "Done")
    await world.use_case(CompleteTraining)(style.version_id, model_path="gs://models/1", metric=None)
    world.clock.advance(10 * TIMEOUT)

    assert await time_out_trainings(world) == 0
