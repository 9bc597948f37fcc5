"""Artworks that are announced, and sent straight to the store."""

import asyncio
from datetime import timedelta
from io import BytesIO

import pytest

from core.accounts.errors import ArtistOnly, UserNotFound
from core.accounts.model import User
from core.artwork_uploads.announce_uploads import AnnounceUploads, FileToUpload
from core.artwork_uploads.delete_upload import DeleteUpload
from core.artwork_uploads.errors import UnusableUpload, UploadLimitReached, UploadMissing, UploadNotFound, UploadUsed
from core.artwork_uploads.list_unused_uploads import ListUnusedUploads
from core.artwork_uploads.model import LIFETIME, MAX_FILES, MAX_UNUSED, URL_LIFETIME
from core.artwork_uploads.purge_unused_uploads import PurgeUnusedUploads
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.blobs.purge_orphans import OrphanAge, PurgeOrphans
from core.errors import DomainError, ValidationError
from core.identifiers import UploadId
from core.ports.blob_store import Blob, StoreUnavailable
from core.problems import wrong_count, wrong_length, wrong_number
from core.requester import Requester, Role
from core.styles.errors import ImageSizeExceeded, InvalidImageFormat
from core.styles.version import MAX_IMAGE
from core.styles.views import CreatedStyle
from tests.contracts.artwork_uploads import announce, arrived, as_artist, create, files, send, unused
from tests.contracts.deletion.steps import delete
from tests.support.world import World

MOMENT = timedelta(microseconds=1)


async def refused(world: World, error: type[DomainError], *to_upload: FileToUpload) -> DomainError:
    mia = await world.artist()
    with pytest.raises(error) as refusal:
        await world.use_case(AnnounceUploads)(as_artist(mia), list(to_upload))
    assert await unused(world, mia) == []
    return refusal.value


async def test_every_file_has_its_own_url(world: World) -> None:
    mia = await world.artist()
    first, second = await announce(world, mia, 3, 5)

    assert first.upload_id != second.upload_id
    assert first.expires_at == (world.clock.now() + URL_LIFETIME).replace(microsecond=0)
    assert not send(world, first, b"12345")
    assert send(world, first, b"123")
    assert send(world, second, b"12345")
    assert await world.blobs.keys("uploads/") == sorted(
        f"uploads/{mia.id}/{upload.upload_id}" for upload in (first, second)
    )


async def test_a_missing_object_can_be_uploaded_again(world: World) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    announced = await announce(world, mia, 1, 2, 3)
    world.clock.advance(timedelta(hours=1))
    later = await announce(world, mia, 4)
    await announce(world, zoe, 5)
    send(world, announced[0], b"1")
    world.clock.advance(URL_LIFETIME)
    assert not send(world, announced[1], b"12")

    shown = await unused(world, mia)
    assert [upload.upload_id for upload in shown] == [upload.upload_id for upload in [*announced, *later]]
    assert [(upload.name, upload.content_type, upload.size, upload.arrived) for upload in shown] == [
        ("0.png", "image/png", 1, True),
        ("1.png", "image/png", 2, False),
        ("2.png", "image/png", 3, False),
        ("0.png", "image/png", 4, False),
    ]
    assert not send(world, shown[0], b"1")
    assert send(world, shown[1], b"12")
    assert [upload.arrived for upload in await unused(world, mia)] == [True, True, False, False]


async def test_a_url_does_not_outlive_its_upload(world: World) -> None:
    mia = await world.artist()
    await announce(world, mia, 1)
    ends_at = world.clock.now() + LIFETIME
    world.clock.advance(LIFETIME - timedelta(minutes=1))
    (shown,) = await unused(world, mia)
    assert shown.expires_at == ends_at.replace(microsecond=0)
    world.clock.advance(timedelta(minutes=1))
    assert await unused(world, mia) == []


async def test_only_artists_can_announce_uploads(world: World) -> None:
    ann = await world.user("ann")
    requester = Requester(ann.id, Role.USER, is_artist=False)
    with pytest.raises(ArtistOnly):
        await world.use_case(AnnounceUploads)(requester, files(1))
    with pytest.raises(ArtistOnly):
        await world.use_case(ListUnusedUploads)(requester)


@pytest.mark.parametrize("count", [0, MAX_FILES + 1])
async def test_a_call_announces_1_to_100_files(world: World, count: int) -> None:
    refusal = await refused(world, ValidationError, *files(*[1] * count))
    assert refusal.details == {"files": wrong_count(1, MAX_FILES)}


@pytest.mark.parametrize(
    ("file", "problems"),
    [
        (FileToUpload("", "image/png", 1), {"files.1.name": wrong_length(1, 255)}),
        (FileToUpload("a" * 256, "image/png", 1), {"files.1.name": wrong_length(1, 255)}),
        (FileToUpload("a.png", "image/png", 0), {"files.1.size": wrong_number(1, MAX_IMAGE)}),
        (FileToUpload("a.png", "image/png", -1), {"files.1.size": wrong_number(1, MAX_IMAGE)}),
    ],
)
async def test_a_file_requires_a_name_and_a_size(world: World, file: FileToUpload, problems: dict[str, object]) -> None:
    assert (await refused(world, ValidationError, *files(1), file)).details == problems


@pytest.mark.parametrize("content_type", ["image/gif", "image/webp", "text/html", "", "IMAGE/PNG"])
async def test_a_file_of_another_type_is_refused(world: World, content_type: str) -> None:
    refusal = await refused(world, InvalidImageFormat, *files(1), FileToUpload("b.gif", content_type, 1))
    assert refusal.details == {"index": 1, "file": "b.gif"}


async def test_a_file_that_is_too_large_is_refused(world: World) -> None:
    refusal = await refused(world, ImageSizeExceeded, *files(MAX_IMAGE, MAX_IMAGE + 1))
    assert refusal.details == {"index": 1, "file": "1.png", "size": MAX_IMAGE + 1, "allowed": MAX_IMAGE}


async def test_the_number_of_unused_uploads_is_limited(world: World) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    for _ in range(MAX_UNUSED // MAX_FILES):
        await announce(world, mia, *[1] * MAX_FILES)
    with pytest.raises(UploadLimitReached) as refusal:
        await announce(world, mia, 1)
    assert refusal.value.details == {"limit": MAX_UNUSED}
    await announce(world, zoe, 1)

    world.clock.advance(LIFETIME)
    await announce(world, mia, 1)


async def test_concurrent_calls_stay_within_the_limit(world: World) -> None:
    mia = await world.artist()
    calls = [announce(world, mia, *[1] * MAX_FILES) for _ in range(5)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, UploadLimitReached) for result in ended) == 2
    assert len(await unused(world, mia)) == MAX_UNUSED


async def drop(world: World, artist: User, upload_id: UploadId) -> None:
    await world.use_case(DeleteUpload)(as_artist(artist), upload_id)


async def test_an_upload_is_deleted_with_its_object(world: World) -> None:
    mia = await world.artist()
    dropped, waiting, kept = await announce(world, mia, 1, 1, 1)
    for upload in (dropped, kept):
        send(world, upload, b"1")
    await drop(world, mia, dropped.upload_id)
    await drop(world, mia, waiting.upload_id)
    assert await world.blobs.keys("uploads/") == [f"uploads/{mia.id}/{kept.upload_id}"]
    assert [upload.upload_id for upload in await unused(world, mia)] == [kept.upload_id]
    with pytest.raises(UploadNotFound):
        await drop(world, mia, dropped.upload_id)


async def test_an_object_of_a_deleted_upload_is_an_orphan(world: World) -> None:
    mia = await world.artist()
    (upload,) = await announce(world, mia, 1)
    await drop(world, mia, upload.upload_id)
    assert send(world, upload, b"1")
    world.clock.advance(timedelta(hours=2))
    await world.use_case(PurgeOrphans, age=OrphanAge(timedelta(hours=1)))(limit=100)
    assert await world.blobs.keys("uploads/") == []


async def test_uploads_of_others_cannot_be_deleted(world: World) -> None:
    mia, zoe, ann = await world.artist("mia"), await world.artist("zoe"), await world.user("ann")
    (upload,) = await announce(world, mia, 1)
    send(world, upload, b"1")
    with pytest.raises(UploadNotFound):
        await drop(world, zoe, upload.upload_id)
    with pytest.raises(ArtistOnly):
        await world.use_case(DeleteUpload)(Requester(ann.id, Role.USER, is_artist=False), upload.upload_id)
    assert [shown.arrived for shown in await unused(world, mia)] == [True]


async def test_a_used_upload_cannot_be_deleted(world: World) -> None:
    mia = await world.artist()
    uploads = await arrived(world, mia)
    await create(world, mia, uploads)
    with pytest.raises(UploadUsed):
        await drop(world, mia, uploads[3].upload_id)
    assert len(await world.blobs.keys("uploads/")) == len(uploads)


async def test_an_upload_is_either_used_or_deleted(world: World) -> None:
    mia = await world.artist()
    uploads = await arrived(world, mia)
    created, dropped = await asyncio.gather(
        create(world, mia, uploads), drop(world, mia, uploads[3].upload_id), return_exceptions=True
    )
    if dropped is None:  # its row or, where that was read before, its file was gone
        assert isinstance(created, UnusableUpload | UploadMissing)
    else:
        assert isinstance(created, CreatedStyle)
        assert isinstance(dropped, UploadUsed)


async def test_objects_of_deleted_uploads_are_removed_after_an_outage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = await world.artist()
    (upload,) = await announce(world, mia, 1)
    send(world, upload, b"1")

    async def unavailable(*keys: str) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(world.blobs, "delete", unavailable)
        await drop(world, mia, upload.upload_id)
    assert await unused(world, mia) == []
    assert len(await world.blobs.keys("uploads/")) == 1
    await world.use_case(DeleteDiscardedObjects)()
    assert await world.blobs.keys("uploads/") == []


async def purge(world: World, *, limit: int = 100) -> int:
    return await world.use_case(PurgeUnusedUploads)(limit=limit)


async def test_unused_uploads_are_purged_after_a_day(world: World) -> None:
    mia = await world.artist()
    old = await announce(world, mia, 1, 1, 1)
    world.clock.advance(timedelta(hours=1))
    (young,) = await announce(world, mia, 1)
    for upload in (*old[:2], young):
        send(world, upload, b"1")

    world.clock.advance(timedelta(hours=23) - MOMENT)
    assert await purge(world) == 0
    world.clock.advance(MOMENT)
    assert await purge(world, limit=2) == 2
    assert await purge(world, limit=2) == 1
    assert await purge(world, limit=2) == 0
    assert await world.blobs.keys("uploads/") == [f"uploads/{mia.id}/{young.upload_id}"]
    assert [upload.upload_id for upload in await unused(world, mia)] == [young.upload_id]


async def test_concurrent_passes_purge_each_upload_once(world: World) -> None:
    mia = await world.artist()
    await announce(world, mia, *[1] * 20)
    world.clock.advance(LIFETIME)
    assert sum(await asyncio.gather(*(purge(world) for _ in range(4)))) == 20


async def test_an_object_of_an_unused_upload_is_not_an_orphan(world: World) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    (kept,) = await announce(world, mia, 1)
    (gone,) = await announce(world, zoe, 1)
    send(world, kept, b"1")
    send(world, gone, b"1")
    await delete(world, zoe)
    send(world, gone, b"1")
    await world.blobs.put(Blob(f"uploads/{zoe.id}/{kept.upload_id}", BytesIO(b"1"), "image/png"))

    world.clock.advance(LIFETIME - MOMENT)
    await world.use_case(PurgeOrphans, age=OrphanAge(timedelta(hours=1)))(limit=100)
    assert await world.blobs.keys("uploads/") == [f"uploads/{mia.id}/{kept.upload_id}"]


async def test_the_uploads_of_a_deleted_account_are_removed(world: World) -> None:
    mia = await world.artist()
    (upload,) = await announce(world, mia, 1)
    send(world, upload, b"1")
    await delete(world, mia)
    assert await world.blobs.keys("uploads/") == []
    assert await unused(world, mia) == []
    with pytest.raises(UserNotFound):
        await announce(world, mia, 1)
