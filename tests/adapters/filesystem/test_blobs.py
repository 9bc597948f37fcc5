import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from adapters.memory.clock import ManualClock
from core.ports.blob_store import Blob, BlobNotFound, ExpectedBlob, StoreUnavailable
from core.ports.media_files import SignedUpload, UploadRefused
from tests.support.slow_file import SlowFile


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> FilesystemBlobStore:
    return FilesystemBlobStore(tmp_path / "blobs", clock, base_url="http://localhost:8000", secret=b"secret")


def files_of(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


class Query:
    def __init__(self, url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        self.expires = query["expires"][0]
        self.signature = query["signature"][0]


async def test_an_object_is_a_file_named_after_its_key(store: FilesystemBlobStore, tmp_path: Path) -> None:
    await store.put(Blob("training/1/image_0.png", BytesIO(b"image"), "image/png"))
    assert files_of(tmp_path) == ["blobs/objects/training/1/image_0.png"]
    assert (tmp_path / "blobs/objects/training/1/image_0.png").read_bytes() == b"image"


async def test_objects_outlive_the_process(store: FilesystemBlobStore, tmp_path: Path, clock: ManualClock) -> None:
    await store.put(Blob("a.png", BytesIO(b"image"), "image/png"))
    url = Query(await store.signed_url("a.png"))
    again = FilesystemBlobStore(tmp_path / "blobs", clock, base_url="http://localhost:8000", secret=b"secret")
    assert (await again.read("a.png", expires=url.expires, signature=url.signature)).content == b"image"


class Failing(BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 0:
            raise OSError("the disk is gone")
        return super().read(3)


async def test_an_object_whose_write_fails_is_not_stored(store: FilesystemBlobStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await store.put(Blob("new.png", Failing(b"new content"), "image/png"))
    assert files_of(tmp_path) == []


async def test_an_object_whose_replacement_fails_is_kept(store: FilesystemBlobStore, tmp_path: Path) -> None:
    await store.put(Blob("a.png", BytesIO(b"old"), "image/png"))
    with pytest.raises(StoreUnavailable):
        await store.put(Blob("a.png", Failing(b"new content"), "image/png"))
    assert await store.get("a.png") == b"old"
    assert files_of(tmp_path) == ["blobs/objects/a.png"]


async def test_a_key_below_an_existing_key_is_refused(store: FilesystemBlobStore, tmp_path: Path) -> None:
    await store.put(Blob("a", BytesIO(b"file"), "image/png"))
    with pytest.raises(StoreUnavailable):
        await store.put(Blob("a/b", BytesIO(b"below"), "image/png"))
    await store.put(Blob("c/d", BytesIO(b"file"), "image/png"))
    with pytest.raises(StoreUnavailable):
        await store.put(Blob("c", BytesIO(b"above"), "image/png"))
    assert files_of(tmp_path) == ["blobs/objects/a", "blobs/objects/c/d"]


async def test_a_cancelled_put_writes_nothing_more(store: FilesystemBlobStore) -> None:
    first, second = SlowFile(b"first"), BytesIO(b"second")
    putting = asyncio.ensure_future(store.put(Blob("1.png", first, "image/png"), Blob("2.png", second, "image/png")))
    await first.begun.wait()
    putting.cancel()
    asyncio.get_running_loop().call_later(0.05, first.go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await store.keys("") == ["1.png"]  # finished before the caller went on: it can be deleted


async def test_writing_does_not_block_the_event_loop(store: FilesystemBlobStore) -> None:
    content = SlowFile(b"content")
    putting = asyncio.ensure_future(store.put(Blob("1.png", content, "image/png")))
    await content.begun.wait()
    assert await store.reachable() is True
    content.go_on.set()
    await putting


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("a.jpg", "image/jpeg"),
        ("a.png", "image/png"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("png", "application/octet-stream"),
    ],
)
async def test_only_harmless_content_types_are_served(store: FilesystemBlobStore, key: str, content_type: str) -> None:
    await store.put(Blob(f"public/{key}", BytesIO(b"content"), "text/html"))
    assert (await store.read(f"public/{key}", expires=None, signature=None)).content_type == content_type


async def test_a_private_object_requires_its_signature(store: FilesystemBlobStore) -> None:
    await store.put(*(Blob(key, BytesIO(b"mine"), "image/png") for key in ("a.png", "b.png", "public/a.png")))
    url = Query(await store.signed_url("a.png"))
    forged = [
        (None, None),
        (url.expires, None),
        (None, url.signature),
        (url.expires, ""),
        ("", url.signature),
        (url.expires, url.signature[:-1] + ("0" if url.signature[-1] != "0" else "1")),
        (str(int(url.expires) + 1), url.signature),
        ("99999999999", url.signature),
        ("never", "0" * 64),
        (url.expires, "그림"),
        (url.expires, "\ud800"),
        ("\ud800", url.signature),
    ]
    for expires, signature in forged:
        with pytest.raises(BlobNotFound):
            await store.read("a.png", expires=expires, signature=signature)
    for key in ("b.png", "public/../a.png", "./a.png", "a.png\x00", "\ud800", "", "public/"):
        with pytest.raises(BlobNotFound):
            await store.read(key, expires=url.expires, signature=url.signature)
    assert (await store.read("a.png", expires=url.expires, signature=url.signature)).content == b"mine"


async def test_a_signature_of_another_secret_is_invalid(
    store: FilesystemBlobStore, tmp_path: Path, clock: ManualClock
) -> None:
    await store.put(Blob("a.png", BytesIO(b"mine"), "image/png"))
    stranger = FilesystemBlobStore(tmp_path / "blobs", clock, base_url="http://localhost:8000", secret=b"guess")
    url = Query(await stranger.signed_url("a.png"))
    with pytest.raises(BlobNotFound):
        await store.read("a.png", expires=url.expires, signature=url.signature)


async def test_a_signed_url_expires(store: FilesystemBlobStore, clock: ManualClock) -> None:
    await store.put(Blob("a.png", BytesIO(b"mine"), "image/png"))
    url = Query(await store.signed_url("a.png", lifetime=timedelta(minutes=2)))
    clock.advance(timedelta(seconds=119))
    await store.read("a.png", expires=url.expires, signature=url.signature)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(BlobNotFound):
        await store.read("a.png", expires=url.expires, signature=url.signature)


async def test_a_signed_url_stays_the_same_for_half_its_lifetime(
    store: FilesystemBlobStore, clock: ManualClock
) -> None:
    urls = []
    for _ in range(60):
        urls.append(await store.signed_url("a.png", lifetime=timedelta(minutes=2)))
        clock.advance(timedelta(seconds=1))
    assert len(set(urls)) == 1
    assert await store.signed_url("a.png", lifetime=timedelta(minutes=2)) != urls[0]


async def content_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def signed(store: FilesystemBlobStore, *, size: int, key: str = "uploads/7/1") -> SignedUpload:
    (url,) = await store.upload_urls(ExpectedBlob(key, "image/png", size, timedelta(hours=1)))
    query = parse_qs(urlsplit(url.url).query)
    return SignedUpload(query["expires"][0], query["size"][0], query["type"][0], query["signature"][0])


async def problem(
    store: FilesystemBlobStore, upload: SignedUpload, content: AsyncIterator[bytes], *, key: str = "uploads/7/1"
) -> object:
    with pytest.raises(UploadRefused) as refusal:
        await store.write(key, upload, content, content_type="image/png")
    assert refusal.value.details
    return refusal.value.details["problem"]


@pytest.mark.parametrize(
    "altered",
    [
        {"expires": "99999999999"},
        {"size": "8"},
        {"content_type": "text/html"},
        {"signature": ""},
        {"signature": "그림"},
        {"expires": "\ud800"},
    ],
)
async def test_a_tampered_upload_url_is_refused_before_the_body(
    store: FilesystemBlobStore, altered: dict[str, str]
) -> None:
    upload = msgspec.structs.replace(await signed(store, size=7), **altered)
    content = content_of(b"content")
    assert await problem(store, upload, content) == "signature"
    assert await anext(content) == b"content"


@pytest.mark.parametrize("key", ["uploads/8/1", "uploads/7/../7/1", "uploads/7/1\ud800", ""])
async def test_an_upload_for_another_key_is_refused(store: FilesystemBlobStore, key: str) -> None:
    assert await problem(store, await signed(store, size=7), content_of(b"content"), key=key) == "signature"


async def test_a_read_url_does_not_allow_uploads(store: FilesystemBlobStore) -> None:
    url = Query(await store.signed_url("uploads/7/1"))
    upload = SignedUpload(url.expires, "7", "image/png", url.signature)
    assert await problem(store, upload, content_of(b"content")) == "signature"


async def test_an_oversized_upload_is_refused_at_the_limit(store: FilesystemBlobStore, tmp_path: Path) -> None:
    content = content_of(b"x" * 600_000, b"x" * 600_000, b"x", b"the rest")
    assert await problem(store, await signed(store, size=1_200_000), content) == "size"
    assert await anext(content) == b"the rest"
    assert files_of(tmp_path) == []


async def test_an_interrupted_upload_stores_nothing(store: FilesystemBlobStore, tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 1_200_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await store.write("uploads/7/1", await signed(store, size=2_000_000), breaking(), content_type="image/png")
    assert files_of(tmp_path) == []


async def test_concurrent_uploads_to_one_url_store_one(store: FilesystemBlobStore, tmp_path: Path) -> None:
    upload = await signed(store, size=1)
    all_have_begun = asyncio.Barrier(8)

    async def waiting(content: bytes) -> AsyncIterator[bytes]:
        await all_have_begun.wait()
        yield content

    uploads = [
        store.write("uploads/7/1", upload, waiting(b"%d" % number), content_type="image/png") for number in range(8)
    ]
    ended = await asyncio.gather(*uploads, return_exceptions=True)

    (stored,) = [number for number, result in enumerate(ended) if result is None]
    assert await store.get("uploads/7/1") == b"%d" % stored
    assert [result.details for result in ended if isinstance(result, UploadRefused)] == [{"problem": "used"}] * 7
    assert files_of(tmp_path) == ["blobs/objects/uploads/7/1"]


async def test_an_upload_is_streamed_in_bounded_memory(store: FilesystemBlobStore) -> None:
    largest = 0

    async def content() -> AsyncIterator[bytes]:
        nonlocal largest
        for _ in range(80):
            yield b"x" * 100_000
            largest = max(largest, tracemalloc.get_traced_memory()[1])

    upload = await signed(store, size=8_000_000)
    tracemalloc.start()
    try:
        await store.write("uploads/7/1", upload, content(), content_type="image/png")
    finally:
        tracemalloc.stop()
    assert largest < 4_000_000


async def test_an_uncreatable_folder_is_unavailable(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "blobs").write_text("a file is in the way")
    store = FilesystemBlobStore(tmp_path / "blobs", clock, base_url="http://localhost:8000", secret=b"secret")
    assert await store.reachable() is False
    with pytest.raises(StoreUnavailable):
        await store.put(Blob("a.png", BytesIO(b"image"), "image/png"))
