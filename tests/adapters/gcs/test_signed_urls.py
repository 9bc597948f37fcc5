"""URLs of Cloud Storage: public ones, and signed by a private key or by IAM."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth.credentials import Credentials
from google.oauth2 import service_account

from adapters.gcs import blobs
from adapters.gcs import bucket as blocking
from adapters.gcs.blobs import GcsBlobStore
from core.ports.blob_store import ExpectedBlob, StoreUnavailable
from tests.support import signed_uploads

MEBIBYTE = 2**20

ALGORITHM = (padding.PKCS1v15(), hashes.SHA256())


EMAIL = "style-license@project.iam.gserviceaccount.com"


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
