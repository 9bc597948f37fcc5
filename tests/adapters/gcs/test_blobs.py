"""Objects in Cloud Storage, and its outages."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import requests

from adapters.gcs import blobs
from adapters.gcs import bucket as blocking
from adapters.gcs.blobs import GcsBlobStore
from core.ports.blob_store import Blob, BlobNotFound, ExpectedBlob, StoreUnavailable
from tests.support import processes
from tests.support.gcs import Bucket
from tests.support.slow_file import SlowFile

MEBIBYTE = 2**20


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(blocking._timeouts, "timeout", (0.2, 0.2))
    monkeypatch.setitem(blocking._timeouts, "retry", None)


@asynccontextmanager
async def frozen_server() -> AsyncIterator[str]:
    """Takes connections and never answers."""
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for connection in connections:
            connection.transport.abort()
        server.close()


def metadata(bucket: Bucket, key: str) -> dict[str, Any]:
    address = f"{bucket.emulator.url}/storage/v1/b/{bucket.name}/o/{quote(key, safe='')}"
    found: dict[str, Any] = httpx.get(address, trust_env=False).raise_for_status().json()
    return found


def test_the_library_is_imported_lazily() -> None:
    program = (
        "import sys, adapters.gcs.blobs as b; b.GcsBlobStore('b'); assert 'google.cloud.storage' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], env=processes.environment(), check=True)


class Recording(BytesIO):
    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.largest = 0

    def read(self, size: int | None = -1) -> bytes:
        read = super().read(size)
        self.largest = max(self.largest, len(read))
        return read


async def test_an_upload_is_streamed_in_bounded_memory(store: GcsBlobStore) -> None:
    content = Recording(b"x" * 9_000_000)
    await store.put(Blob("a.png", content, "image/png"))
    assert 0 < content.largest <= blocking.CHUNK


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_an_object_has_a_content_type_and_cache_control(store: GcsBlobStore, bucket: Bucket, size: int) -> None:
    await store.put(Blob("public/a.png", BytesIO(b"x" * size), "image/png"))
    found = metadata(bucket, "public/a.png")
    assert found["contentType"] == "image/png"
    assert found["cacheControl"] == "private, max-age=3600"


async def test_a_private_copy_is_not_cached_by_google(
    store: GcsBlobStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = bucket.emulator.client()
    client.bucket(bucket.name).blob("results/1.png").upload_from_string(b"image", content_type="image/png")
    client.close()
    sent: list[Any] = []
    request = requests.Session.request

    def recorded(session: requests.Session, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        if "rewriteTo" in url:
            sent.append(json.loads(kwargs["data"]))
        return request(session, method, url, *args, **kwargs)

    monkeypatch.setattr(requests.Session, "request", recorded)
    await store.copy("results/1.png", "public/1.png")
    # The emulator does not apply what Google does, so the request itself is the proof.
    assert [(metadata["cacheControl"], metadata["contentType"]) for metadata in sent] == [
        ("private, max-age=3600", "image/png")
    ]


async def test_a_cancelled_upload_stores_nothing(store: GcsBlobStore) -> None:
    content = SlowFile(b"x" * 3 * blocking.CHUNK)
    putting = asyncio.ensure_future(store.put(Blob("a.png", content, "image/png")))
    await content.begun.wait()
    putting.cancel()
    asyncio.get_running_loop().call_later(0.05, content.go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert content.go_on.is_set()  # the caller went on when the thread had ended, not before
    assert content.tell() < 3 * blocking.CHUNK
    assert await store.keys("") == []


class Failing(BytesIO):
    def __init__(self, content: bytes, other: threading.Event) -> None:
        super().__init__(content)
        self._other = other

    def read(self, size: int | None = -1) -> bytes:
        assert self._other.wait(10)
        raise OSError("the disk is gone")


async def test_a_failed_put_waits_for_the_other_uploads(store: GcsBlobStore) -> None:
    slow = SlowFile(b"x" * 3 * blocking.CHUNK)
    slow_has_begun = threading.Event()
    failing = Failing(b"x", slow_has_begun)
    putting = asyncio.ensure_future(
        store.put(Blob("slow.png", slow, "image/png"), Blob("bad.png", failing, "image/png"))
    )
    await slow.begun.wait()
    slow_has_begun.set()
    asyncio.get_running_loop().call_later(0.05, slow.go_on.set)
    with pytest.raises(StoreUnavailable):
        await putting
    assert slow.go_on.is_set()
    assert slow.tell() < 3 * blocking.CHUNK
    assert await store.keys("") == []


async def test_a_missing_bucket_is_unreachable(bucket: Bucket) -> None:
    store = GcsBlobStore("no-such-bucket", emulator=bucket.emulator.url)
    assert await store.reachable() is False
    with pytest.raises(StoreUnavailable):
        await store.put(Blob("a.png", BytesIO(b"image"), "image/png"))
    await store.close()


async def every_call_fails(store: GcsBlobStore) -> None:
    calls = [
        store.put(Blob("a.png", BytesIO(b"image"), "image/png")),
        store.put(Blob("a.png", BytesIO(b"x" * 3_000_000), "image/png")),
        store.get("a.png"),
        store.copy("a.png", "b.png"),
        store.delete("a.png"),
        store.keys(""),
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * len(calls)


@pytest.mark.usefixtures("short_timeouts")
async def test_a_frozen_store_is_unreachable() -> None:
    async with frozen_server() as url:
        store = GcsBlobStore("bucket", emulator=url)
        await every_call_fails(store)
        started = time.monotonic()
        assert await store.reachable() is False
        assert time.monotonic() - started < 2
        await store.close()


@pytest.mark.usefixtures("short_timeouts")
async def test_an_unavailable_store_is_reported() -> None:
    store = GcsBlobStore("bucket", emulator="http://127.0.0.1:9")
    await every_call_fails(store)
    assert await store.reachable() is False
    await store.close()


async def test_a_frozen_store_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "RESPONSE_TIMEOUT", 0.2)
    monkeypatch.setitem(blocking._timeouts, "timeout", (1.0, 1.0))
    monkeypatch.setitem(blocking._timeouts, "retry", None)
    async with frozen_server() as url:
        store = GcsBlobStore("bucket", emulator=url)
        started = time.monotonic()
        answers = await asyncio.gather(*(store.get(f"{n}.png") for n in range(50)), return_exceptions=True)
        assert time.monotonic() - started < 0.8  # also those that no thread was free for
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        await store.close()


async def test_missing_credentials_make_the_store_unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    store = GcsBlobStore("bucket")
    assert await store.reachable() is False
    with pytest.raises(StoreUnavailable):
        await store.get("a.png")
    await store.close()


async def test_a_missing_object_is_not_an_outage(store: GcsBlobStore) -> None:
    with pytest.raises(BlobNotFound):
        await store.get("missing.png")
    with pytest.raises(BlobNotFound):
        await store.copy("missing.png", "public/a.png")


async def test_allowed_origins_can_upload(store: GcsBlobStore, bucket: Bucket) -> None:
    await store.allow_origins("https://old.example")
    await store.allow_origins("https://example.com", "http://localhost:3000")

    client = bucket.emulator.client()
    (rule,) = client.get_bucket(bucket.name).cors
    client.close()
    assert rule["origin"] == ["https://example.com", "http://localhost:3000"]
    for size in (1, 9 * MEBIBYTE):
        (upload,) = await store.upload_urls(ExpectedBlob("uploads/7/1", "image/png", size, timedelta(hours=1)))
        assert upload.method in rule["method"]
        assert set(upload.headers) <= set(rule["responseHeader"])
    assert {"PUT", "GET"} <= set(rule["method"])
    assert {"Location", "Range", "Content-Range"} <= set(rule["responseHeader"])
