from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from core.identifiers import VersionId
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound
from core.styles.fail_training import FailTraining
from core.styles.model import Style
from core.styles.record_training_progress import RecordTrainingProgress
from core.styles.retrain_style import RetrainStyle
from core.styles.version import RETRY_UNDECIDED, TrainingProgress, TrainingStatus
from core.tasks.outcome import Failure, Outcome
from tests.support.memory_world import MemoryWorld

Call = Callable[[MemoryWorld, VersionId], Awaitable[Outcome]]


async def progress(world: MemoryWorld, version_id: VersionId, epoch: int = 10) -> Outcome:
    return await world.use_case(RecordTrainingProgress)(
        version_id, current_epoch=epoch, total_epochs=200, progress_percent=epoch / 2, estimated_seconds=300
    )


async def complete(world: MemoryWorld, version_id: VersionId) -> Outcome:
    return await world.use_case(CompleteTraining)(version_id, model_path="gs://models/1", metric={"loss": 0.1})


async def fail(world: MemoryWorld, version_id: VersionId) -> Outcome:
    return await world.use_case(FailTraining)(version_id, Failure("LOW_QUALITY_DATA", "Too dark."))


async def test_progress_is_recorded(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())

    assert await progress(world, style.version_id) == Outcome(applied=True, status="training")

    now = world.database.tables.style_versions[style.version_id]
    assert now.training_status is TrainingStatus.TRAINING
    assert now.progress == TrainingProgress(10, 200, 5.0, 300, world.clock.now())


async def test_progress_out_of_order_changes_nothing(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())
    await progress(world, style.version_id, 10)
    before = world.database.tables.style_versions[style.version_id]
    world.clock.advance()

    for epoch in (9, 10):
        assert await progress(world, style.version_id, epoch) == Outcome(applied=False, status="training")

    assert world.database.tables.style_versions[style.version_id] == before


@pytest.mark.parametrize("with_progress", [False, True])
async def test_a_completed_training_opens_the_style_and_notifies_its_artist(
    world: MemoryWorld, with_progress: bool
) -> None:
    style = await world.untrained_style(await world.artist())
    if with_progress:
        await progress(world, style.version_id)
    world.clock.advance()

    assert await complete(world, style.version_id) == Outcome(applied=True, status="completed")

    now = world.database.tables.style_versions[style.version_id]
    assert (now.training_status, now.model_path) == (TrainingStatus.COMPLETED, "gs://models/1")
    assert (now.training_metric, now.progress, now.failure) == ({"loss": 0.1}, None, None)
    assert now.updated_at == world.clock.now()
    [notification] = await notifications(world, style)
    assert (notification.type, notification.target_type, notification.target_id) == (
        "style_training_complete",
        "style",
        style.id,
    )
    assert (notification.metadata, notification.actor, notification.created_at) == (
        {"style_name": "Ink", "version": 1},
        None,
        world.clock.now(),
    )


async def test_a_failed_training_is_notified_with_its_reason(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())
    await progress(world, style.version_id)
    world.clock.advance()

    assert await fail(world, style.version_id) == Outcome(applied=True, status="failed")

    now = world.database.tables.style_versions[style.version_id]
    assert (now.training_status, now.failure) == (
        TrainingStatus.FAILED,
        Failure("LOW_QUALITY_DATA", "Too dark."),
    )
    assert (now.progress, now.updated_at) == (None, world.clock.now())
    [notification] = await notifications(world, style)
    assert notification.type == "style_training_failed"
    assert notification.metadata == {
        "style_name": "Ink",
        "version": 1,
        "error_code": "LOW_QUALITY_DATA",
        "error_message": "Too dark.",
    }


@pytest.mark.parametrize(
    ("end", "late", "status"),
    [
        *((complete, late, "completed") for late in (progress, complete, fail)),
        (fail, progress, "failed"),
        (fail, fail, "failed"),
    ],
)
async def test_webhooks_after_the_end_change_nothing(world: MemoryWorld, end: Call, late: Call, status: str) -> None:
    style = await world.untrained_style(await world.artist())
    await end(world, style.version_id)
    tables = world.database.tables
    before = tables.style_versions[style.version_id], dict(tables.notifications)
    world.clock.advance()

    assert await late(world, style.version_id) == Outcome(applied=False, status=status)

    assert (tables.style_versions[style.version_id], dict(tables.notifications)) == before


# --- the training server repeats what has failed ----------------------------------------------------------------------


async def test_a_completion_counts_after_a_failure(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())
    for _ in range(3):
        await progress(world, style.version_id)
        await fail(world, style.version_id)
        world.clock.advance(timedelta(hours=1))

    assert await complete(world, style.version_id) == Outcome(applied=True, status="completed")
    assert await fail(world, style.version_id) == Outcome(applied=False, status="completed")

    now = world.database.tables.style_versions[style.version_id]
    assert (now.training_status, now.model_path, now.failure) == (TrainingStatus.COMPLETED, "gs://models/1", None)
    assert sorted(notification.type for notification in await notifications(world, style)) == [
        "style_training_complete",
        "style_training_failed",
    ]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_completion_counts_while_a_retry_is_under_way(world: MemoryWorld, begun: bool) -> None:
    style = await a_retried_style(world)
    if begun:
        await progress(world, style.version_id)

    assert await complete(world, style.version_id) == Outcome(applied=True, status="completed")
    assert await complete(world, style.version_id) == Outcome(applied=False, status="completed")


async def test_a_failure_of_the_old_task_does_not_fail_a_pending_retry(world: MemoryWorld) -> None:
    style = await a_retried_style(world)
    before = world.database.tables.style_versions[style.version_id], dict(world.database.tables.notifications)

    for wait in (timedelta(), timedelta(seconds=5), RETRY_UNDECIDED - timedelta(seconds=5) - timedelta.resolution):
        world.clock.advance(wait)
        assert await fail(world, style.version_id) == Outcome(applied=False, status="pending")
    assert (world.database.tables.style_versions[style.version_id], dict(world.database.tables.notifications)) == before

    world.clock.advance(timedelta.resolution)
    assert await fail(world, style.version_id) == Outcome(applied=True, status="failed")


async def test_a_retry_with_progress_can_fail_and_its_artist_is_notified_again(world: MemoryWorld) -> None:
    style = await a_retried_style(world)
    await progress(world, style.version_id)

    for applied in (True, False, False):
        assert await fail(world, style.version_id) == Outcome(applied=applied, status="failed")

    assert [notification.type for notification in await notifications(world, style)] == ["style_training_failed"] * 2


async def test_the_first_attempt_can_fail_before_any_progress(world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())

    assert await fail(world, style.version_id) == Outcome(applied=True, status="failed")


@pytest.mark.parametrize("call", [progress, complete, fail])
async def test_an_unknown_id_is_not_found(world: MemoryWorld, call: Call) -> None:
    with pytest.raises(StyleNotFound):
        await call(world, await world.ids.version())


async def a_retried_style(world: MemoryWorld) -> Style:
    style = await world.untrained_style(await world.artist())
    await fail(world, style.version_id)
    await world.use_case(RetrainStyle)(style.artist_id, style.id)
    return style


async def notifications(world: MemoryWorld, style: Style) -> list[NotificationItem]:
    page, _ = await world.read.notifications.list(style.artist_id, unread_only=False, page=PageRequest())
    return page.rows
