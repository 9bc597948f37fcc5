"""The repository of versions of styles."""

from datetime import timedelta
from functools import partial

import msgspec
import pytest

from core.identifiers import StyleId, VersionId
from core.styles.errors import StyleNotFound, VersionInTraining, VersionNotFound
from core.styles.model import Style
from core.styles.version import Review, Rights, StyleVersion, TrainingProgress, TrainingStatus
from core.tasks.outcome import Failure, Outcome
from tests.contracts.overlap import Block, commit, race, sending
from tests.contracts.styles import advance, progress, untrained
from tests.support.scope import Scope
from tests.support.world import World

LATER = timedelta(microseconds=1)


async def stored(world: World, version: StyleVersion) -> StyleVersion:
    return await commit(world, lambda ports: ports.versions.of_id(version.id))


@pytest.fixture
async def style(world: World) -> Style:
    return await world.style(await world.artist("mia"))


async def find(version_id: VersionId, ports: Scope, *, lock: bool) -> StyleVersion:
    return await ports.versions.of_id(version_id, lock=lock)


async def find_latest(style_id: StyleId, ports: Scope, *, lock: bool) -> StyleVersion:
    return await ports.versions.latest(style_id, lock=lock)


async def find_number(style_id: StyleId, number: int, ports: Scope) -> StyleVersion:
    return await ports.versions.of_number(style_id, number)


async def new_version(world: World, style: Style, number: int = 2) -> StyleVersion:
    now = world.clock.now()
    return StyleVersion(
        await world.ids.version(), style.id, number, world.ids.task(), now, now, Rights(now, explicit=True)
    )


async def test_an_added_version_is_returned_unchanged(world: World, style: Style) -> None:
    now = world.clock.now()
    version = msgspec.structs.replace(
        await new_version(world, style),
        updated_at=now + LATER,
        rights=Rights(now + 2 * LATER, explicit=False, version=7),
        training_status=TrainingStatus.TRAINING,
        training_metric={"loss": 0.25, "epochs": 200, "notes": ["a", None, {"b": True}]},
        progress=TrainingProgress(3, 200, 1.5, 300, now + 3 * LATER),
        failure=Failure("TRAINING_ERROR", "Never mind.", {"index": 3}),
        retried_at=now + 4 * LATER,
        review=Review.APPROVED,
    )
    await commit(world, lambda ports: ports.versions.add(version))

    assert await stored(world, version) == version
    assert await commit(world, lambda ports: ports.versions.of_id(version.id, lock=True)) == version
    assert await commit(world, lambda ports: ports.versions.of_number(style.id, 2)) == version
    assert await commit(world, lambda ports: ports.versions.latest(style.id)) == version
    assert await commit(world, lambda ports: ports.versions.latest(style.id, lock=True)) == version


async def test_a_saved_version_is_stored(world: World, style: Style) -> None:
    version = await world.version(style, trained=False)
    failed = version.fail_training(at=world.clock.advance(), failure=Failure("LOW_QUALITY_DATA", "Too dark."))
    await commit(world, lambda ports: ports.versions.save(failed))
    assert await stored(world, version) == failed

    trained = failed.complete_training(at=world.clock.advance(), model_path="gs://models/1", metric={"loss": 0.1})
    await commit(world, lambda ports: ports.versions.save(trained))
    assert await stored(world, version) == trained
    assert trained.completed_at == world.clock.now()


async def test_only_the_first_version_has_the_id_of_its_style(world: World, style: Style) -> None:
    second = await world.version(style)
    another = await world.style(await world.artist("zoe"))

    versions = await commit(world, lambda ports: ports.versions.of_style(style.id))

    assert [(version.number, version.id) for version in versions] == [(1, style.id), (2, second.id)]
    assert len({style.id, second.id, another.id}) == 3
    with pytest.raises(StyleNotFound):
        await world.read.styles.detail(StyleId(second.id), viewer=None)
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.offer(StyleId(second.id)))


async def test_an_unknown_version_is_not_found(world: World, style: Style) -> None:
    nothing, nobodys = await world.ids.version(), await world.ids.style()
    version = await new_version(world, style)

    for lock in (False, True):
        with pytest.raises(StyleNotFound):
            await commit(world, partial(find, nothing, lock=lock))
        with pytest.raises(StyleNotFound):
            await commit(world, partial(find_latest, nobodys, lock=lock))
    for number in (0, 2, 2**15, 2**63 - 1):
        with pytest.raises(VersionNotFound):
            await commit(world, partial(find_number, style.id, number))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.versions.save(version))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.versions.add(msgspec.structs.replace(version, style_id=nobodys)))
    with pytest.raises(StyleNotFound):
        await advance(world, nothing, epoch=1)
    assert await commit(world, lambda ports: ports.versions.of_style(nobodys)) == []
    assert await commit(world, lambda ports: ports.versions.artworks(nothing)) == []


async def test_one_of_two_concurrent_versions_is_refused(world: World, style: Style, sent: bool) -> None:
    first, second = [await new_version(world, style, number) for number in (2, 3)]

    ended = await race(
        world, lambda ports: ports.versions.add(first), lambda ports: ports.versions.add(second), sent=sent
    )

    assert isinstance(ended.second, VersionInTraining)
    assert await commit(world, lambda ports: ports.versions.latest(style.id)) == first


async def test_a_version_is_not_trained_again_beside_another(world: World, style: Style) -> None:
    first = await world.version(style, trained=False)
    failed = first.fail_training(at=world.clock.now(), failure=Failure("TRAINING_ERROR", "No."))
    await commit(world, lambda ports: ports.versions.save(failed))
    await world.version(style, trained=False)

    with pytest.raises(VersionInTraining):
        await commit(world, lambda ports: ports.versions.save(first))

    assert await stored(world, first) == failed


async def test_locking_a_version_locks_its_style(world: World, style: Style) -> None:
    version = await world.version(style)

    locking = await Block(world, lambda ports: ports.versions.of_id(version.id, lock=True)).open()
    other = await Block(world, lambda ports: ports.styles.of_id(style.id, lock=True)).waits()

    assert await locking.commit() == version
    assert await other.commit() == style


async def test_an_offer_of_another_version_has_its_model(world: World, style: Style) -> None:
    version = await world.version(style)
    offer = await commit(world, lambda ports: ports.styles.offer(style.id))

    assert await commit(world, lambda ports: ports.styles.offer(style.id, version=1)) == offer
    assert await commit(world, lambda ports: ports.styles.offer(style.id, version=2)) == offer.of(version)
    with pytest.raises(VersionNotFound):
        await commit(world, lambda ports: ports.styles.offer(style.id, version=3))


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_progress_starts_and_advances_the_training(world: World, style: Style) -> None:
    version = await world.version(style, trained=False)

    for epoch in (1, 2, 50):
        at = world.clock.advance()
        assert await advance(world, version.id, epoch=epoch) == Outcome(applied=True, status="training")
        found = await stored(world, version)
        assert found.training_status is TrainingStatus.TRAINING
        assert (found.progress, found.updated_at) == (TrainingProgress(epoch, 200, epoch / 2, 300, at), at)


@pytest.mark.parametrize("epoch", [4, 5])
async def test_progress_never_decreases(world: World, style: Style, epoch: int) -> None:
    version = await world.version(style, trained=False)
    await advance(world, version.id, epoch=5)
    before = await stored(world, version)
    world.clock.advance()

    assert await advance(world, version.id, epoch=epoch) == Outcome(applied=False, status="training")

    assert await stored(world, version) == before


async def test_progress_after_the_end_changes_nothing(world: World, style: Style) -> None:
    trained = await world.training_of(style.id)
    failed = await world.training_of((await untrained(world, await world.artist("zoe"), "Oil")).id)

    assert await advance(world, trained.id, epoch=5) == Outcome(applied=False, status="completed")
    assert await advance(world, failed.id, epoch=5) == Outcome(applied=False, status="failed")

    assert await stored(world, trained) == trained
    assert await stored(world, failed) == failed


async def test_progress_waits_for_a_concurrent_end(world: World, style: Style) -> None:
    version = await world.version(style, trained=False)
    trained = version.complete_training(at=world.clock.now(), model_path="gs://models/1", metric=None)

    async def complete(ports: Scope) -> None:
        await ports.versions.of_id(version.id, lock=True)
        await ports.versions.save(trained)
        await ports.versions.of_id(version.id)

    completing = await Block(world, complete).open()
    progressing = await Block(world, lambda ports: ports.versions.advance(version.id, progress(world, 5))).waits()
    await completing.commit()

    assert await progressing.commit() == Outcome(applied=False, status="completed")
    assert await stored(world, version) == trained


async def test_progress_is_kept_when_the_surrounding_block_rolls_back(world: World, style: Style) -> None:
    version = await world.version(style, trained=False)

    async def work(ports: Scope) -> None:
        await ports.versions.advance(version.id, progress(world, 5))

    block = await Block(world, work).open()
    await block.roll_back()

    assert (await stored(world, version)).progress == progress(world, 5)


async def test_saving_waits_for_the_lock_of_the_version(world: World, style: Style) -> None:
    version = await world.version(style, trained=False)
    failed = version.fail_training(at=world.clock.now(), failure=Failure("TRAINING_ERROR", "Out of paint."))

    locking = await Block(world, lambda ports: ports.versions.of_id(version.id, lock=True)).open()
    saving = await Block(world, sending(lambda ports: ports.versions.save(failed))).waits()

    assert await locking.commit() == version
    await saving.commit()
    assert await stored(world, version) == failed


async def test_the_training_with_the_oldest_activity_is_stalled_first(world: World) -> None:
    mia = await world.artist("mia")
    first = await world.version(await world.style(mia, "First"), trained=False)
    world.clock.advance()
    second = await world.untrained_style(mia, "Second")

    async def stalled(limit: int) -> list[VersionId]:
        return await commit(world, lambda ports: ports.versions.stalled(since=world.clock.now(), limit=limit))

    assert (await stalled(10), await stalled(1)) == ([first.id, second.version_id], [first.id])
