"""Styles that are made of uploads: checked in the background, trained if all files are in order, failed if not."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from core.artwork_uploads.check_artworks import CheckArtworks
from core.artwork_uploads.errors import CheckTakenOver
from core.artwork_uploads.finish_check import FinishCheck
from core.artwork_uploads.model import LEASE
from core.notifications.model import NotificationType
from core.paging import PageRequest
from core.ports import changes
from core.ports.blob_store import StoreUnavailable
from core.styles.errors import InsufficientImages
from core.styles.new_style import ArtworkText, NewStyle
from core.styles.retrain_style import RetrainStyle
from core.styles.version import TrainingStatus
from core.styles.views import CreatedStyle
from core.tasks.model import task_of
from tests.contracts.artwork_uploads import (
    CONTENTS,
    arrived,
    check,
    create,
    created,
    unused,
)
from tests.contracts.checks import artist_of, claimed, detail, training_of
from tests.support.photographs import galaxy_trailer
from tests.support.pictures import picture
from tests.support.world import World


async def test_valid_files_are_trained(world: World) -> None:
    mia = await world.artist()
    trailed = picture(600, 512, format="jpeg")
    uploads = await arrived(world, mia, [*CONTENTS[:9], trailed + galaxy_trailer()])
    texts = [ArtworkText("a cat, red hat", ["Blue"]), *[ArtworkText()] * 9]
    style = await create(world, mia, uploads, NewStyle("Ink", 7, tags=["wet"]), texts)

    assert style == CreatedStyle(style.id, "Ink", "pending", 10, world.clock.now(), None)
    assert await world.tasks() == []
    assert await unused(world, mia) == []
    assert await check(world) == 10
    assert await check(world) == 0

    shown = await detail(world, style)
    assert (shown.training_status, shown.checking, shown.failure) == ("pending", None, None)
    assert shown.tags == ["ink", "wet", "blue", "a cat", "red hat"]
    assert [artwork.tags for artwork in shown.artworks[:2]] == [["ink", "blue", "a cat", "red hat"], ["ink"]]
    folder = f"training/{style.id}"
    assert await world.blobs.get(f"{folder}/image_0.png") == CONTENTS[0]
    assert await world.blobs.get(f"{folder}/image_0.txt") == b"a cat, red hat"
    assert await world.blobs.get(f"{folder}/image_9.jpg") == trailed
    assert len(shown.sample_artworks) == 4
    assert await world.blobs.keys("uploads/") == []

    [task] = await world.tasks()
    order = task_of(task.body).data
    assert order == msgspec.structs.replace(
        order,
        style_id=style.id,
        images=[
            f"gs://stylelicense-media/{folder}/image_{index}.{'jpg' if index == 9 else 'png'}" for index in range(10)
        ],
        tags=shown.tags,
    )
    assert task.task_id == (await training_of(world, style)).task_id


async def refused(world: World, contents: list[bytes], code: str, **details: Any) -> None:
    """The style fails and says why; nothing of it is left but its row."""
    mia = await world.artist()
    style = await created(world, contents, artist=mia)
    before = [key for key in await world.blobs.keys("") if not key.startswith("uploads/")]
    while await check(world):
        pass

    shown = await detail(world, style)
    assert shown.training_status == "failed"
    assert shown.failure
    assert (shown.failure.code, shown.failure.details) == (code, details)
    assert str(details["file"]) in shown.failure.message
    assert shown.artworks == []
    assert shown.checking is None
    assert await world.blobs.keys("") == before
    assert await world.tasks() == []
    assert await unused(world, mia) == []
    [notification] = (await world.read.notifications.list(mia.id, unread_only=True, page=PageRequest()))[0].rows
    assert notification.type == NotificationType.STYLE_TRAINING_FAILED.value
    assert notification.metadata["error_code"] == code
    with pytest.raises(InsufficientImages):
        await world.use_case(RetrainStyle)(mia.id, style.id)


@pytest.mark.parametrize("index", [0, 6, 9])
async def test_a_non_image_file_fails_the_style(world: World, index: int) -> None:
    contents = list(CONTENTS)
    contents[index] = b"no image"
    await refused(world, contents, "INVALID_IMAGE_FORMAT", index=index, file=f"{index}.png")


async def test_a_too_small_image_fails_the_style(world: World) -> None:
    await refused(
        world,
        [*CONTENTS[:9], picture(512, 511)],
        "IMAGE_RESOLUTION_TOO_LOW",
        index=9,
        file="9.png",
        width=512,
        height=511,
        required=512,
    )


async def test_a_duplicate_image_fails_the_style(world: World) -> None:
    contents = [*CONTENTS[:9], CONTENTS[2]]
    await refused(world, contents, "DUPLICATE_IMAGE", index=9, file="9.png", same_as=2)


async def test_a_jpeg_announced_as_png_is_accepted(world: World) -> None:
    style = await created(world, [picture(format="jpeg"), *CONTENTS[1:]])
    await check(world)
    assert (await training_of(world, style)).failure is None
    assert await world.blobs.get(f"training/{style.id}/image_0.jpg") == picture(format="jpeg")


async def test_progress_is_shown_and_published(world: World) -> None:
    style = await created(world)
    assert msgspec.to_builtins((await detail(world, style)).checking) == {
        "checked_files": 0,
        "total_files": 10,
        "progress_percent": 0.0,
        "last_updated": "2026-01-01T00:00:00Z",
    }
    await world.wait_until_listening()
    with world.changes.subscribe(changes.style(style.id)) as subscription:
        world.clock.advance(timedelta(seconds=7))
        assert await check(world, limit=3) == 3
        assert await subscription.changed(within=timedelta(seconds=10)) == {changes.style(style.id)}
    own = (await world.read.styles.list_own(await artist_of(world, style), page=PageRequest())).rows[0]
    for progress in ((await detail(world, style)).checking, own.checking):
        assert progress
        assert (progress.checked_files, progress.progress_percent) == (3, 30.0)
        assert progress.last_updated == world.clock.now()


async def test_a_new_check_notifies_the_checker(world: World) -> None:
    mia = await world.artist()
    uploads = await arrived(world, mia)
    await world.wait_until_listening()
    with world.changes.subscribe(changes.ARTWORK_CHECKS) as subscription:
        await create(world, mia, uploads)
        assert await subscription.changed(within=timedelta(seconds=10)) == {changes.ARTWORK_CHECKS}


async def test_checks_of_several_styles_alternate(world: World) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    first = await created(world, artist=mia)
    world.clock.advance(timedelta(seconds=1))
    second = await created(world, artist=zoe)
    checked = []
    for _ in range(4):
        world.clock.advance(timedelta(seconds=1))
        await check(world, limit=5)
        checked.append([(await detail(world, style)).checking for style in (first, second)])
    assert [[progress and progress.checked_files for progress in both] for both in checked] == [
        [5, 0],
        [5, 5],
        [None, 5],
        [None, None],
    ]


async def test_a_check_resumes_after_a_crashed_process(world: World) -> None:
    style = await created(world)
    await check(world, limit=4)
    dead = await claimed(world)
    await world.blobs.delete(*await world.blobs.keys(f"training/{style.id}/image_0"))  # not looked at again

    world.clock.advance(LEASE - timedelta(seconds=1))
    assert await check(world) == 0
    world.clock.advance(timedelta(seconds=1))
    assert await check(world) == 6
    assert len((await detail(world, style)).artworks) == 10

    with pytest.raises(CheckTakenOver):
        async with world.block() as scope:
            await scope.checks.advance(dead, until=world.clock.now())
    with pytest.raises(CheckTakenOver):
        async with world.block() as scope:
            await scope.checks.end(dead)


async def test_a_check_resumes_after_a_crash_behind_the_last_file(world: World) -> None:
    style = await created(world)
    broken = world.use_case(FinishCheck, queue=None)
    with pytest.raises(AttributeError):
        await world.use_case(CheckArtworks, finish=broken)(limit=20)
    assert await world.tasks() == []

    assert await check(world) == 1
    assert len(await world.tasks()) == 1
    assert len((await detail(world, style)).artworks) == 10


async def test_a_superseded_checker_changes_nothing(world: World) -> None:
    style = await created(world)
    late = await claimed(world)
    world.clock.advance(LEASE)
    await check(world, limit=4)
    async with world.block() as scope:
        await scope.checks.release(late)
    with pytest.raises(CheckTakenOver):
        async with world.block() as scope:
            await scope.checks.advance(late, until=world.clock.now())
    progress = (await detail(world, style)).checking
    assert progress
    assert progress.checked_files == 4


class Overtaken:
    """A store from which a file is read so slowly that another process takes over."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.blobs, name)

    async def get(self, key: str) -> bytes:
        self._world.clock.advance(LEASE)
        await claimed(self._world)
        return await self._world.blobs.get(key)


async def test_a_checker_stops_when_another_takes_over(world: World) -> None:
    style = await created(world)
    assert await world.use_case(CheckArtworks, blobs=Overtaken(world))(limit=20) == 1
    progress = (await detail(world, style)).checking
    assert progress
    assert progress.checked_files == 0


class UnavailableStore:
    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.blobs, name)

    async def get(self, key: str) -> bytes:
        raise StoreUnavailable


async def test_a_check_waits_during_a_store_outage(world: World) -> None:
    style = await created(world)
    with pytest.raises(StoreUnavailable):
        await world.use_case(CheckArtworks, blobs=UnavailableStore(world))(limit=20)
    assert (await training_of(world, style)).training_status is TrainingStatus.PENDING
    assert await check(world) == 10
    assert len(await world.tasks()) == 1


async def test_a_failed_check_does_not_block_the_others(world: World) -> None:
    style = await created(world)
    other = await created(world, artist=await world.artist("zoe"))
    world.clock.advance(timedelta(seconds=1))
    with pytest.raises(StoreUnavailable):
        await world.use_case(CheckArtworks, blobs=UnavailableStore(world))(limit=20)
    await check(world)
    assert (await detail(world, style)).checking
    assert (await detail(world, other)).checking is None


async def test_concurrent_checks_request_one_training(world: World) -> None:
    styles = [await created(world, artist=await world.artist(name)) for name in ("mia", "zoe")]
    assert sorted(await asyncio.gather(*(check(world) for _ in range(4)))) == [0, 0, 10, 10]
    assert len(await world.tasks()) == 2
    for style in styles:
        assert len((await detail(world, style)).artworks) == 10


async def test_a_missing_object_fails_the_style(world: World) -> None:
    mia = await world.artist()
    uploads = await arrived(world, mia)
    style = await create(world, mia, uploads)
    await world.blobs.delete(f"uploads/{mia.id}/{uploads[7].upload_id}")
    await check(world)
    shown = await detail(world, style)
    assert shown.failure
    assert (shown.failure.code, shown.failure.details) == ("UPLOAD_MISSING", {"index": 7, "file": "7.png"})
