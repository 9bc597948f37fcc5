"""BlobStore.upload_urls: memory, a folder, and Google Cloud Storage's emulator behind Google's own rules."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from adapters.gcs.blobs import GcsBlobStore
from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.clock import ManualClock
from core.ports.blob_store import Blob, BlobStore, ExpectedBlob, UploadUrl
from core.ports.media_files import SignedUpload, UploadRefused
from tests.support import signed_uploads
from tests.support.gcs import Bucket

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
Send = Callable[[UploadUrl, bytes], Awaitable[bool]]
"""Uploads to a URL; whether it is stored."""


@dataclass(slots=True)
class Case:
    store: BlobStore
    send: Send
    now: Callable[[], datetime]
    advance: Callable[[timedelta], object]


@pytest.fixture(params=["memory", "filesystem", "gcs"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    clock = ManualClock()
    match request.param:
        case "memory":
            memory = MemoryBlobStore(clock)

            async def receive(url: UploadUrl, content: bytes) -> bool:
                return memory.receive(url.url, url.headers, content)

            yield Case(memory, receive, clock.now, clock.advance)
        case "filesystem":
            folder = FilesystemBlobStore(tmp_path, clock, base_url="http://localhost:8000", secret=b"secret")

            async def write(url: UploadUrl, content: bytes) -> bool:
                return await written(folder, url, content)

            yield Case(folder, write, clock.now, clock.advance)
        case _:
            bucket: Bucket = request.getfixturevalue("bucket")
            gcs = GcsBlobStore(bucket.name, emulator=bucket.emulator.url)
            later = timedelta()

            def advance(by: timedelta) -> None:
                nonlocal later
                later += by

            async def send(url: UploadUrl, content: bytes) -> bool:
                return await signed_uploads.upload(
                    url.method, url.url, url.headers, content, now=datetime.now(UTC) + later
                )

            yield Case(gcs, send, lambda: datetime.now(UTC) + later, advance)
            await gcs.close()


async def written(store: FilesystemBlobStore, url: UploadUrl, content: bytes) -> bool:
    """What the service's route does with a request."""
    parts = urlsplit(url.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    signed = SignedUpload(query["expires"], query["size"], query["type"], query["signature"])
    key = unquote(parts.path).removeprefix("/media/")
    try:
        await store.write(key, signed, in_parts(content), content_type=url.headers["Content-Type"])
    except UploadRefused:
        return False
    return True


async def in_parts(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


async def url_for(case: Case, size: int, key: str = "uploads/7/1", *, content_type: str = "image/png") -> UploadUrl:
    (url,) = await case.store.upload_urls(ExpectedBlob(key, content_type, size, HOUR))
    return url


@pytest.mark.parametrize("size", [1, 1_000_000, 8 * 1024 * 1024, 8 * 1024 * 1024 + 1, 10 * 1024 * 1024])
async def test_an_upload_stores_an_object(case: Case, size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert await case.send(await url_for(case, size), content)
    assert await case.store.get("uploads/7/1") == content


@pytest.mark.parametrize("key", ["a b.png", "그림/하나.png", "100%/a+b&c=d.png"])
async def test_a_key_can_be_any_text(case: Case, key: str) -> None:
    assert await case.send(await url_for(case, 7, key), b"content")
    assert await case.store.get(key) == b"content"


async def test_an_upload_has_a_modification_time(case: Case) -> None:
    await case.send(await url_for(case, 7), b"content")
    (stored,) = await case.store.stored("uploads/", limit=2)
    assert abs(stored.stored_at - case.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("size", [0, 6, 8, 3_000_000])
async def test_another_size_is_refused(case: Case, size: int) -> None:
    assert not await case.send(await url_for(case, 7), b"x" * size)
    assert await case.store.keys("") == []


async def test_another_type_is_refused(case: Case) -> None:
    url = await url_for(case, 7)
    other = msgspec.structs.replace(url, headers={**url.headers, "Content-Type": "text/html"})
    assert not await case.send(other, b"content")
    assert await case.store.keys("") == []


async def test_a_url_expires(case: Case) -> None:
    before = case.now()
    url = await url_for(case, 7)
    assert before - SECOND <= url.expires_at - HOUR <= case.now()
    case.advance(HOUR)
    assert not await case.send(url, b"content")


async def test_a_url_is_valid_until_it_expires(case: Case) -> None:
    url = await url_for(case, 7)
    case.advance(HOUR - timedelta(minutes=1))
    assert await case.send(url, b"content")


async def test_a_url_stores_one_object(case: Case) -> None:
    url = await url_for(case, 5)
    assert await case.send(url, b"first")
    assert not await case.send(url, b"other")
    assert await case.store.get("uploads/7/1") == b"first"


async def test_an_existing_object_is_kept(case: Case) -> None:
    await case.store.put(Blob("uploads/7/1", BytesIO(b"there"), "image/png"))
    assert not await case.send(await url_for(case, 5), b"other")
    assert await case.store.get("uploads/7/1") == b"there"


async def test_a_refused_upload_can_be_repeated(case: Case) -> None:
    url = await url_for(case, 7)
    assert not await case.send(url, b"cont")
    assert await case.send(url, b"content")


async def test_a_url_is_valid_for_its_own_key(case: Case) -> None:
    url = await url_for(case, 7)
    assert not await case.send(msgspec.structs.replace(url, url=url.url.replace("/7/", "/8/")), b"content")
    assert await case.store.keys("") == []


@pytest.mark.parametrize("key", ["", "../a", "a//b", "a\nb"])
async def test_an_invalid_key_has_no_url(case: Case, key: str) -> None:
    with pytest.raises(ValueError, match="Not a"):
        await url_for(case, 7, key)


async def test_every_key_has_its_own_url(case: Case) -> None:
    assert await case.store.upload_urls() == []
    expected = [ExpectedBlob(f"uploads/7/{index}", "image/png", index, HOUR * index) for index in range(1, 20)]
    before = case.now()
    urls = await case.store.upload_urls(*expected)
    after = case.now()
    for index, url in enumerate(urls, 1):
        assert before - SECOND <= url.expires_at - HOUR * index <= after
        assert await case.send(url, b"x" * index)
        assert await case.store.get(f"uploads/7/{index}") == b"x" * index


async def test_origins_can_be_allowed(case: Case) -> None:
    await case.store.allow_origins("https://example.com")
    await case.store.allow_origins()
