"""Trainings of later versions: their failures, time-outs and ends."""

from datetime import timedelta
from io import BytesIO

import pytest

from core.accounts.model import User
from core.artwork_uploads.errors import UnusableUpload
from core.blobs.purge_orphans import OrphanAge, PurgeOrphans
from core.identifiers import StyleId
from core.ports.blob_store import Blob
from core.styles.delete_style import DeleteStyle
from core.styles.errors import (
    StyleNotFound,
    StyleWithdrawn,
)
from core.styles.fail_training import FailTraining
from core.styles.retrain_style import RetrainStyle
from core.styles.time_out_trainings import TimeOutTrainings, TrainingTimeout
from core.styles.version import RETRY_UNDECIDED
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.model import TrainingTask
from core.tasks.outcome import Failure
from tests.contracts.artwork_uploads import arrived, as_artist, check, unused
from tests.contracts.new_versions import (
    MORE,
    checked_version,
    choose,
    complete,
    new_version,
    own,
    stored,
    tasks,
    trained_style,
)
from tests.support.pictures import picture
from tests.support.world import World

TIMEOUT = timedelta(hours=6)
FAILED = Failure("TRAINING_FAILED", "No.")


@pytest.fixture
async def style_id(world: World, mia: User) -> StyleId:
    return await trained_style(world, mia)


async def test_a_failed_version_can_be_retrained_or_left(world: World, mia: User, style_id: StyleId) -> None:
    version = await checked_version(world, mia, style_id)
    await world.publish()
    before = await stored(world, style_id)
    await world.use_case(FailTraining)(version.id, FAILED)
    assert await stored(world, style_id) == before

    await world.use_case(RetrainStyle)(mia.id, style_id)
    [task] = await tasks(world)
    assert isinstance(task, TrainingTask)
    assert (task.data.style_id, len(task.data.images)) == (version.id, 12)
    world.clock.advance(RETRY_UNDECIDED)
    await world.use_case(FailTraining)(version.id, FAILED)
    third = await checked_version(world, mia, style_id, MORE[5:7])

    assert (third.number, (await complete(world, version.id)).applied) == (3, True)
    await choose(world, mia, style_id, 2)
    assert (await complete(world, third.id)).applied
    assert (await stored(world, style_id)).version == 2


async def test_a_stalled_version_is_timed_out(world: World, mia: User, style_id: StyleId) -> None:
    version = await checked_version(world, mia, style_id)
    time_out = world.use_case(TimeOutTrainings, timeout=TrainingTimeout(TIMEOUT))
    world.clock.advance(TIMEOUT)
    assert await time_out() == 0  # its task is not published
    await world.publish()
    world.clock.advance(TIMEOUT)
    assert await time_out() == 1

    failed = await world.training_of(style_id)
    assert (failed.id, failed.failure and failed.failure.code) == (version.id, "TIMEOUT")
    assert (await own(world, mia, style_id)).training_status == "completed"


async def test_a_withdrawn_style_uses_no_version(world: World, mia: User, style_id: StyleId) -> None:
    version = await checked_version(world, mia, style_id)
    await world.use_case(WithdrawStyle)(as_artist(mia), style_id, NewTakedown("Mine."))

    assert (await complete(world, version.id)).applied
    with pytest.raises(StyleWithdrawn):
        await choose(world, mia, style_id, 2)
    assert (await stored(world, style_id)).version == 1


async def test_a_version_of_a_concurrently_withdrawn_style_is_not_trained(
    world: World, mia: User, style_id: StyleId
) -> None:
    await new_version(world, mia, style_id)
    before = await world.blobs.keys("training/")
    await world.use_case(WithdrawStyle)(as_artist(mia), style_id, NewTakedown("Mine."))

    await check(world)

    assert await tasks(world) == []
    assert await world.blobs.keys("training/") == before


async def test_deleting_a_style_deletes_its_versions(world: World, mia: User, style_id: StyleId) -> None:
    version = await checked_version(world, mia, style_id)
    await complete(world, version.id)
    await new_version(world, mia, style_id, MORE[3:4])

    await world.use_case(DeleteStyle)(mia.id, style_id)

    assert [key for key in await world.blobs.keys("") if not key.startswith(("signatures/", "uploads/"))] == []
    assert len(await unused(world, mia)) == 1
    with pytest.raises(StyleNotFound):
        await complete(world, version.id)
    assert await check(world) == 0


async def test_only_objects_of_the_refused_version_are_orphans(world: World, mia: User, style_id: StyleId) -> None:
    trained = await checked_version(world, mia, style_id)
    await complete(world, trained.id)
    refused = await checked_version(world, mia, style_id, [b"no image"])
    kept = await world.blobs.keys("")
    await world.blobs.put(Blob(f"training/{refused.id}/image_0.png", BytesIO(picture()), "image/png"))
    world.clock.advance(timedelta(days=2))
    while await world.use_case(PurgeOrphans, age=OrphanAge(timedelta(days=1)))(limit=100):
        pass

    assert await world.blobs.keys("") == kept


async def test_uploads_can_be_used_once_for_a_style_or_a_version(world: World, mia: User, style_id: StyleId) -> None:
    uploads = await arrived(world, mia, MORE[:2])
    await new_version(world, mia, style_id, uploads=uploads)
    await check(world)
    await complete(world, (await world.training_of(style_id)).id)

    with pytest.raises(UnusableUpload):
        await new_version(world, mia, style_id, uploads=uploads)
