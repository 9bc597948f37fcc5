from collections.abc import Awaitable, Callable

import pytest

from core.identifiers import StyleId
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound
from core.styles.fail_training import FailTraining
from core.styles.model import Style, TrainingProgress, TrainingStatus
from core.styles.record_training_progress import RecordTrainingProgress
from core.tasks.outcome import Failure, Outcome
from tests.support.world import MemoryWorld

Call = Callable[[MemoryWorld, StyleId], Awaitable[Outcome]]


async def progress(world: MemoryWorld, style_id: StyleId, epoch: int = 10) -> Outcome:
    return await world.use_case(RecordTrainingProgress)(
        style_id, current_epoch=epoch, total_epochs=200, progress_percent=epoch / 2, estimated_seconds=300
    )


async def complete(world: MemoryWorld, style_id: StyleId) -> Outcome:
    return await world.use_case(CompleteTraining)(style_id, model_path="gs://models/1", metric={"loss": 0.1})


async def fail(world: MemoryWorld, style_id: StyleId) -> Outcome:
    return await world.use_case(FailTraining)(style_id, Failure("LOW_QUALITY_DATA", "Too dark."))


async def test_progress_is_taken_down(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())

    assert await progress(world, style.id) == Outcome(applied=True, status="training")

    now = world.database.tables.styles[style.id]
    assert now.training_status is TrainingStatus.TRAINING
    assert now.progress == TrainingProgress(10, 200, 5.0, 300, world.clock.now())


async def test_progress_out_of_order_changes_nothing(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())
    await progress(world, style.id, 10)
    before = world.database.tables.styles[style.id]
    world.clock.advance()

    for epoch in (9, 10):
        assert await progress(world, style.id, epoch) == Outcome(applied=False, status="training")

    assert world.database.tables.styles[style.id] == before


@pytest.mark.parametrize("with_progress", [False, True])
async def test_a_trained_style_is_open_and_its_artist_told(world: MemoryWorld, with_progress: bool) -> None:
    style = await world.untrained_style(await world.artist())
    if with_progress:
        await progress(world, style.id)
    world.clock.advance()

    assert await complete(world, style.id) == Outcome(applied=True, status="completed")

    now = world.database.tables.styles[style.id]
    assert (now.training_status, now.model_path) == (TrainingStatus.COMPLETED, "gs://models/1")
    assert (now.training_metric, now.progress, now.failure) == ({"loss": 0.1}, None, None)
    assert now.updated_at == world.clock.now()
    [told] = await notifications(world, style)
    assert (told.type, told.target_type, told.target_id) == ("style_training_complete", "style", style.id)
    assert (told.metadata, told.actor, told.created_at) == ({"style_name": "Ink"}, None, world.clock.now())


async def test_a_failed_training_is_told_with_its_reason(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())
    await progress(world, style.id)
    world.clock.advance()

    assert await fail(world, style.id) == Outcome(applied=True, status="failed")

    now = world.database.tables.styles[style.id]
    assert (now.training_status, now.failure) == (
        TrainingStatus.FAILED,
        Failure("LOW_QUALITY_DATA", "Too dark."),
    )
    assert (now.progress, now.updated_at) == (None, world.clock.now())
    [told] = await notifications(world, style)
    assert told.type == "style_training_failed"
    assert told.metadata == {"style_name": "Ink", "error_code": "LOW_QUALITY_DATA", "error_message": "Too dark."}


@pytest.mark.parametrize("late", [progress, complete, fail])
@pytest.mark.parametrize(("end", "status"), [(complete, "completed"), (fail, "failed")])
async def test_what_comes_after_the_end_changes_nothing(world: MemoryWorld, end: Call, late: Call, status: str) -> None:
    style = await world.untrained_style(await world.artist())
    await end(world, style.id)
    tables = world.database.tables
    before = tables.styles[style.id], dict(tables.notifications)
    world.clock.advance()

    assert await late(world, style.id) == Outcome(applied=False, status=status)

    assert (tables.styles[style.id], dict(tables.notifications)) == before


@pytest.mark.parametrize("call", [progress, complete, fail])
async def test_what_is_not_there_is_not_found(world: MemoryWorld, call: Call) -> None:
    with pytest.raises(StyleNotFound):
        await call(world, await world.ids.style())


async def notifications(world: MemoryWorld, style: Style) -> list[NotificationItem]:
    page, _ = await world.read.notifications.list(style.artist_id, unread_only=False, page=PageRequest())
    return page.rows
