import asyncio
import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth.credentials import Credentials
from google.oauth2 import service_account

from adapters.gcs import blobs
from adapters.gcs import bucket as blocking
from adapters.gcs.blobs import GcsBlobStore
from core.ports.blob_store import Blob, BlobNotFound, ExpectedBlob, StoreUnavailable
from tests.support import processes, signed_uploads
from tests.support.gcs import Bucket
from tests.support.slow_file import SlowFile

ALGORITHM = (padding.PKCS1v15(), hashes.SHA256())
MEBIBYTE = 1024 * 1024
EMAIL = "style-license@project.iam.gserviceaccount.com"


@pytest.fixture
async def store(bucket: Bucket) -> AsyncIterator[GcsBlobStore]:
    store = GcsBlobStore(bucket.name, emulator=bucket.emulator.url)
    yield store
    await store.close()


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.usefixtures("in_a_hurry")
async def test_a_frozen_store_is_unreachable() -> None:
    async with frozen_server() as url:
        store = GcsBlobStore("bucket", emulator=url)
        await every_call_fails(store)
        started = time.monotonic()
        assert await store.reachable() is False
        assert time.monotonic() - started < 2
        await store.close()


@pytest.mark.usefixtures("in_a_hurry")
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


def test_public_urls_use_google_or_the_emulator() -> None:
    assert GcsBlobStore("bucket").public_url("public/a b.png") == (
        "https://storage.googleapis.com/bucket/public/a%20b.png"
    )
    emulated = GcsBlobStore("bucket", emulator="http://storage:8080")
    assert emulated.public_url("public/a.png") == "http://storage:8080/bucket/public/a.png"
    seen_elsewhere = GcsBlobStore("bucket", emulator="http://storage:8080", public_endpoint="http://localhost:8080")
    assert seen_elsewhere.public_url("public/a.png") == "http://localhost:8080/bucket/public/a.png"


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def key_file(private_key: rsa.RSAPrivateKey) -> dict[str, str]:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"private_key": pem.decode(), "client_email": EMAIL, "token_uri": "http://127.0.0.1:9/"}


def check_signature(
    url: str, key: rsa.RSAPublicKey, *, method: str = "GET", headers: dict[str, str] | None = None
) -> dict[str, str]:
    """The query of a URL that Google would accept."""
    return signed_uploads.check_signature(
        method, url, headers or {}, lambda signature, signed: key.verify(signature, signed, *ALGORITHM)
    )


async def test_a_private_key_signs_urls(private_key: rsa.RSAPrivateKey, key_file: dict[str, str]) -> None:
    store = GcsBlobStore("bucket", credentials=service_account.Credentials.from_service_account_info(key_file))
    url = await store.signed_url("results/a b.png", lifetime=timedelta(minutes=15))
    assert url.startswith("https://storage.googleapis.com/bucket/results/a%20b.png?")
    assert check_signature(url, private_key.public_key())["X-Goog-Expires"] == "900"
    with pytest.raises(InvalidSignature):
        check_signature(url.replace("a%20b", "another"), private_key.public_key())
    await store.close()


@pytest.mark.parametrize(
    ("size", "method", "more"), [(8 * MEBIBYTE, "PUT", {}), (8 * MEBIBYTE + 1, "POST", {"x-goog-resumable": "start"})]
)
async def test_an_upload_is_signed_with_its_size_and_type(
    private_key: rsa.RSAPrivateKey, key_file: dict[str, str], size: int, method: str, more: dict[str, str]
) -> None:
    store = GcsBlobStore("bucket", credentials=service_account.Credentials.from_service_account_info(key_file))
    (upload,) = await store.upload_urls(ExpectedBlob("uploads/7/1", "image/png", size, timedelta(hours=6)))
    await store.close()

    assert upload.url.startswith("https://storage.googleapis.com/bucket/uploads/7/1?")
    assert upload.method == method
    assert upload.headers == {
        "Content-Type": "image/png",
        "x-goog-content-length-range": f"{size},{size}",
        "x-goog-if-generation-match": "0",
        **more,
    }
    query = check_signature(upload.url, private_key.public_key(), method=method, headers=upload.headers)
    assert query["X-Goog-Expires"] == "21600"
    assert query["X-Goog-Credential"].startswith(f"{EMAIL}/")
    assert query["X-Goog-SignedHeaders"].split(";") == sorted([*map(str.lower, upload.headers), "host"])
    for name in upload.headers:
        altered = {**upload.headers, name: "1"}
        with pytest.raises(InvalidSignature):
            check_signature(upload.url, private_key.public_key(), method=method, headers=altered)
    with pytest.raises(InvalidSignature):
        check_signature(upload.url, private_key.public_key(), method="DELETE", headers=upload.headers)


class Keyless(Credentials):  # type: ignore[misc, unused-ignore]
    """Credentials as on Cloud Run: an account known after the first refresh, and access tokens; no private key."""

    service_account_email = "default"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def refresh(self, request: object) -> None:
        self.service_account_email = EMAIL
        self.token = "a-token"


@pytest.fixture
def iam(private_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The signBlob call of Google's IAM; lists who was asked to sign."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Authorization"] == "Bearer a-token"
            asked.append(self.path)
            signature = private_key.sign(base64.b64decode(body["payload"]), padding.PKCS1v15(), hashes.SHA256())
            answer = json.dumps({"signedBlob": base64.b64encode(signature).decode()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr("google.auth.iam._IAM_SIGN_ENDPOINT", f"http://127.0.0.1:{server.server_port}/{{}}:signBlob")
    yield asked
    server.shutdown()
    server.server_close()


async def test_without_a_private_key_iam_signs(private_key: rsa.RSAPrivateKey, iam: list[str]) -> None:
    store = GcsBlobStore("bucket", credentials=Keyless())
    first, second = [await store.signed_url("results/1.png") for _ in range(2)]
    check_signature(first, private_key.public_key())
    assert iam == [f"/{EMAIL}:signBlob"]
    assert first == second
    await store.close()


async def test_without_a_private_key_iam_signs_uploads(private_key: rsa.RSAPrivateKey, iam: list[str]) -> None:
    store = GcsBlobStore("bucket", credentials=Keyless())
    (upload,) = await store.upload_urls(ExpectedBlob("uploads/7/1", "image/png", 9, timedelta(hours=1)))
    check_signature(upload.url, private_key.public_key(), method=upload.method, headers=upload.headers)
    assert iam == [f"/{EMAIL}:signBlob"]
    await store.close()


async def test_an_iam_outage_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.auth.iam._IAM_SIGN_ENDPOINT", "http://127.0.0.1:9/{}")
    store = GcsBlobStore("bucket", credentials=Keyless())
    with pytest.raises(StoreUnavailable):
        await store.signed_url("results/1.png")
    await store.close()


async def test_a_signed_url_is_cached_for_half_its_lifetime(
    store: GcsBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: list[str] = []
    sign = blocking.Bucket.sign

    def counting(self: blocking.Bucket, key: str, lifetime: timedelta) -> str:
        signed.append(key)
        return sign(self, key, lifetime)

    now = 1000.0
    monkeypatch.setattr(blocking.Bucket, "sign", counting)
    monkeypatch.setattr(blobs, "monotonic", lambda: now)
    await store.signed_url("a.png", lifetime=timedelta(seconds=60))
    now += 29
    await store.signed_url("a.png", lifetime=timedelta(seconds=60))
    assert len(signed) == 1
    now += 2
    await store.signed_url("a.png", lifetime=timedelta(seconds=60))
    assert len(signed) == 2


async def test_the_cache_of_signed_urls_is_bounded(store: GcsBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MAX_CACHED", 3)
    urls = {key: await store.signed_url(key) for key in ("a", "b", "c", "d")}
    assert list(store._signed) == [(key, timedelta(minutes=15)) for key in ("b", "c", "d")]
    assert await store.signed_url("d") == urls["d"]


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
