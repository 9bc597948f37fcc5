"""Styles from uploads: which uploads can be used, and what happens when the style ends before its check does."""

import asyncio
from datetime import timedelta
from io import BytesIO
from typing import Any

import msgspec
import pytest

from core.accounts.errors import ArtistOnly
from core.accounts.model import User
from core.artwork_uploads.arrived_uploads import UploadedArtwork
from core.artwork_uploads.check_artworks import CheckArtworks
from core.artwork_uploads.create_style_from_uploads import CreateStyleFromUploads
from core.artwork_uploads.errors import CheckTakenOver, UnusableUpload, UploadMissing
from core.artwork_uploads.finish_check import FinishCheck
from core.artwork_uploads.model import LIFETIME
from core.artwork_uploads.purge_unused_uploads import PurgeUnusedUploads
from core.blobs.purge_orphans import OrphanAge, PurgeOrphans
from core.identifiers import StyleId, UploadId, VersionId
from core.ports.blob_store import Blob
from core.requester import Requester, Role
from core.styles.delete_style import DeleteStyle
from core.styles.errors import DuplicateStyleName, InsufficientImages, StyleLimitReached
from core.styles.fail_training import FailTraining
from core.styles.new_style import NewStyle
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.outcome import TIMED_OUT
from tests.contracts.artwork_uploads import (
    CONTENTS,
    INK,
    announce,
    arrived,
    as_artist,
    check,
    create,
    created,
    send,
    unused,
)
from tests.contracts.checks import claimed, detail, training_of
from tests.support.world import World


async def test_a_style_requires_all_its_files_to_be_uploaded(world: World) -> None:
    mia = await world.artist()
    uploads = await announce(world, mia, *map(len, CONTENTS))
    for upload, content in list(zip(uploads, CONTENTS, strict=True))[:7]:
        send(world, upload, content)
    with pytest.raises(UploadMissing) as refusal:
        await create(world, mia, uploads)
    assert refusal.value.details == {"index": 7, "file": "7.png"}

    for upload, content, shown in zip(uploads, CONTENTS, await unused(world, mia), strict=True):
        assert shown.arrived is (not send(world, upload, content))
    style = await create(world, mia, uploads)
    assert await check(world) == 10
    assert (await training_of(world, style)).failure is None


async def test_foreign_and_used_uploads_are_not_found(world: World) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    own, others = await arrived(world, mia), await arrived(world, zoe)
    made_up = msgspec.structs.replace(own[0], upload_id=UploadId(10**9))
    for uploads, index in (
        ([*own[:9], others[0]], 9),
        ([*own[:4], made_up, *own[5:]], 4),
        ([*own[:9], own[0]], 9),
    ):
        with pytest.raises(UnusableUpload) as refusal:
            await create(world, mia, uploads)
        assert refusal.value.details == {"index": index}
    await create(world, mia, own)
    with pytest.raises(UnusableUpload):
        await create(world, mia, own, NewStyle("Other", 1))
    world.clock.advance(LIFETIME)
    with pytest.raises(UnusableUpload):
        await create(world, zoe, others)


async def test_one_of_two_styles_from_the_same_uploads_is_created(world: World) -> None:
    mia = await world.artist()
    uploads = await arrived(world, mia)
    made = await asyncio.gather(
        *(create(world, mia, uploads, NewStyle(f"Ink {number}", 1)) for number in range(4)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in made) == ["CreatedStyle", *["UnusableUpload"] * 3]


async def test_a_refused_style_uses_no_upload(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann")
    await world.style(mia, "Ink")
    uploads = await arrived(world, mia)
    for count in (0, 9):
        with pytest.raises(InsufficientImages):
            await create(world, mia, uploads[:count])
    with pytest.raises(DuplicateStyleName):
        await create(world, mia, uploads)
    with pytest.raises(StyleLimitReached):
        await world.use_case(CreateStyleFromUploads, limit=1)(
            as_artist(mia), NewStyle("Other", 1), [UploadedArtwork(upload.upload_id) for upload in uploads]
        )
    with pytest.raises(ArtistOnly):
        await world.use_case(CreateStyleFromUploads)(Requester(ann.id, Role.USER, is_artist=False), INK, [])
    assert len(await unused(world, mia)) == 10


async def test_uploads_in_use_are_not_purged(world: World) -> None:
    style = await created(world)
    world.clock.advance(LIFETIME)
    assert await world.use_case(PurgeUnusedUploads)(limit=100) == 0
    assert await check(world) == 10
    assert (await training_of(world, style)).failure is None


async def test_the_uploads_of_a_deleted_style_can_be_used_again(world: World) -> None:
    mia = await world.artist()
    uploads = await arrived(world, mia)
    style = await create(world, mia, uploads)
    await check(world, limit=3)
    await world.use_case(DeleteStyle)(mia.id, style.id)
    assert await check(world) == 0
    assert [upload.arrived for upload in await unused(world, mia)] == [True] * 10
    again = await create(world, mia, uploads)
    assert await check(world) == 10
    assert len((await detail(world, again)).artworks) == 10


class Deletes:
    """A store from which the style is deleted while its last file is read."""

    def __init__(self, world: World, artist: User, style_id: StyleId) -> None:
        self._world, self._artist, self._style_id = world, artist, style_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.blobs, name)

    async def put(self, *blobs: Blob) -> None:
        await self._world.use_case(DeleteStyle)(self._artist.id, self._style_id)
        await self._world.blobs.put(*blobs)


async def test_a_style_can_be_deleted_during_its_check(world: World) -> None:
    mia = await world.artist()
    style = await created(world, artist=mia)
    assert await world.use_case(CheckArtworks, blobs=Deletes(world, mia, style.id))(limit=20) == 1
    assert await world.tasks() == []
    world.clock.advance(timedelta(days=2))
    await world.use_case(PurgeOrphans, age=OrphanAge(timedelta(days=1)))(limit=100)
    assert await world.blobs.keys("training/") == []


async def test_finishing_the_check_of_a_deleted_style_is_refused(world: World) -> None:
    mia = await world.artist()
    style = await created(world, artist=mia)
    await check(world, limit=9)
    held = await claimed(world)
    async with world.block() as scope:
        uploads = await scope.uploads.of_version(VersionId(style.id))
    await world.use_case(DeleteStyle)(mia.id, style.id)
    finish = world.use_case(FinishCheck)
    with pytest.raises(CheckTakenOver):
        await finish.train(held, uploads, [])
    with pytest.raises(CheckTakenOver):
        await finish.fail(held, uploads, UploadMissing(index=9, file="9.png"))


@pytest.mark.parametrize("last", [CONTENTS[9], b"no image"])
@pytest.mark.parametrize("ended", ["timed out", "withdrawn"])
async def test_a_style_that_ended_during_its_check_is_not_trained(world: World, ended: str, last: bytes) -> None:
    mia = await world.artist()
    style = await created(world, [*CONTENTS[:9], last], artist=mia)
    await check(world, limit=5)
    if ended == "timed out":
        await world.use_case(FailTraining)(VersionId(style.id), TIMED_OUT, inactive_since=world.clock.now())
    else:
        await world.use_case(WithdrawStyle)(as_artist(mia), style.id, NewTakedown("Mine."), at_once=True)
    await check(world)

    assert await world.tasks() == []
    for prefix in ("training/", "samples/", "uploads/"):
        assert await world.blobs.keys(prefix) == []
    assert (await detail(world, style)).checking is None
    if ended == "timed out":
        assert (await training_of(world, style)).failure == TIMED_OUT


async def test_late_objects_of_a_failed_style_are_orphans(world: World) -> None:
    style = await created(world, [b"no image", *CONTENTS[1:]])
    other = await created(world, artist=await world.artist("zoe"))
    await check(world)
    await check(world, limit=1)
    keys = [f"training/{style.id}/image_1.png", f"samples/{style.id}/image_1.png"]
    await world.blobs.put(*(Blob(key, BytesIO(b"late"), "image/png") for key in keys))
    world.clock.advance(timedelta(days=2))
    await world.use_case(PurgeOrphans, age=OrphanAge(timedelta(days=1)))(limit=100)
    assert await world.blobs.keys(f"training/{style.id}/") == []
    assert await world.blobs.keys(f"samples/{style.id}/") == []
    assert await world.blobs.keys(f"training/{other.id}/") == [f"training/{other.id}/image_0.png"]
