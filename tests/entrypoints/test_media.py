import re
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from core.ports.blob_store import Blob, ExpectedBlob, UploadUrl
from tests.entrypoints.service import API, FRONTEND, Browser, Service
from tests.support.memory_world import MemoryWorld

PICTURE = b"\x89PNG a picture"


@pytest.fixture
async def media(world: MemoryWorld, tmp_path: Path) -> FilesystemBlobStore:
    store = FilesystemBlobStore(tmp_path, world.clock, base_url=API, secret=b"secret")
    keys = ("public/generations/1/cat.png", "results/1.png", "results/notes.html")
    await store.put(*(Blob(key, BytesIO(PICTURE), "image/png") for key in keys))
    return store


@pytest.fixture
def service(world: MemoryWorld, media: FilesystemBlobStore) -> Service:
    return Service(world, media=media)


async def test_a_public_object_is_readable_and_cacheable(media: FilesystemBlobStore, anonymous: Browser) -> None:
    response = await anonymous.get(media.public_url("public/generations/1/cat.png"))
    assert (response.status_code, response.content) == (200, PICTURE)
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_a_private_object_is_readable_by_a_signed_url(
    media: FilesystemBlobStore, world: MemoryWorld, anonymous: Browser
) -> None:
    url = await media.signed_url("results/1.png")
    response = await anonymous.get(url)
    assert (response.status_code, response.content) == (200, PICTURE)
    assert response.headers["cache-control"].startswith("private")

    world.clock.advance(timedelta(minutes=16))
    assert (await anonymous.get(url)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "results/1.png",
        "results/1.png?expires=99999999999&signature=made-up",
        "public/../results/1.png",
        "public/%2e%2e/results/1.png",
        "public/nothing.png",
        "public//generations/1/cat.png%00",
        "%2fetc/passwd",
    ],
)
async def test_other_paths_are_not_served(anonymous: Browser, path: str) -> None:
    assert (await anonymous.get(f"/media/{path}")).status_code == 404


async def test_a_signature_is_bound_to_its_object(media: FilesystemBlobStore, anonymous: Browser) -> None:
    url = await media.signed_url("results/notes.html")
    assert (await anonymous.get(url.replace("notes.html", "1.png"))).status_code == 404


async def test_stored_objects_are_never_served_as_html(media: FilesystemBlobStore, anonymous: Browser) -> None:
    response = await anonymous.get(await media.signed_url("results/notes.html"))
    assert response.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in response.headers["content-security-policy"]


async def test_a_cached_object_is_304(media: FilesystemBlobStore, anonymous: Browser) -> None:
    url = media.public_url("public/generations/1/cat.png")
    tag = (await anonymous.get(url)).headers["etag"]
    for sent in (tag, f"W/{tag}", f'"a,b", {tag}', "*"):
        known = await anonymous.get(url, headers={"If-None-Match": sent})
        assert (known.status_code, known.headers["etag"]) == (304, tag)
        assert known.headers["cache-control"] == "public, max-age=31536000, immutable"
    for sent in ('"other"', tag.strip('"'), f'"other{tag[1:]}'):
        assert (await anonymous.get(url, headers={"If-None-Match": sent})).content == PICTURE


async def test_a_missing_object_is_not_304(anonymous: Browser) -> None:
    assert (await anonymous.get("/media/public/nothing.png", headers={"If-None-Match": "*"})).status_code == 404


async def upload_to(media: FilesystemBlobStore, **changes: str) -> UploadUrl:
    (url,) = await media.upload_urls(ExpectedBlob("uploads/7/1", "image/png", len(PICTURE), timedelta(hours=1)))
    for old, new in changes.items():
        url = msgspec.structs.replace(url, url=re.sub(rf"{old}=[^&]+", f"{old}={new}", url.url))
    return url


async def test_an_upload_is_stored_as_announced(media: FilesystemBlobStore, anonymous: Browser) -> None:
    url = await upload_to(media)
    response = await anonymous.call(url.method, url.url, headers=url.headers, content=PICTURE)
    assert response.status_code == 204
    assert await media.get("uploads/7/1") == PICTURE


@pytest.mark.parametrize(
    ("changes", "headers", "content", "problem"),
    [
        ({"expires": "99999999999"}, {}, PICTURE, "signature"),
        ({"signature": "0"}, {}, PICTURE, "signature"),
        ({"size": "9999"}, {}, PICTURE, "signature"),
        ({"type": "text/html"}, {}, PICTURE, "signature"),
        ({}, {"Content-Type": "image/jpeg"}, PICTURE, "content_type"),
        ({}, {}, PICTURE + b" ", "size"),
        ({}, {}, PICTURE[:-1], "size"),
        ({}, {}, b"", "size"),
    ],
)
async def test_an_upload_other_than_announced_is_refused(
    media: FilesystemBlobStore,
    anonymous: Browser,
    changes: dict[str, str],
    headers: dict[str, str],
    content: bytes,
    problem: str,
) -> None:
    url = await upload_to(media, **changes)
    response = await anonymous.call(url.method, url.url, headers=url.headers | headers, content=content)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "UPLOAD_REFUSED"
    assert response.json()["error"]["details"] == {"problem": problem}
    assert await media.keys("uploads/") == []


async def test_an_upload_url_expires_and_is_valid_once(
    media: FilesystemBlobStore, world: MemoryWorld, anonymous: Browser
) -> None:
    url = await upload_to(media)
    sent = [await anonymous.call("PUT", url.url, headers=url.headers, content=PICTURE) for _ in range(2)]
    assert [response.status_code for response in sent] == [204, 403]
    assert sent[1].json()["error"]["details"] == {"problem": "used"}

    await media.delete("uploads/7/1")
    world.clock.advance(timedelta(hours=1))
    late = await anonymous.call("PUT", url.url, headers=url.headers, content=PICTURE)
    assert (late.status_code, late.json()["error"]["details"]) == (403, {"problem": "expired"})


async def test_uploading_requires_a_signed_url(media: FilesystemBlobStore, anonymous: Browser) -> None:
    for path in ("uploads/7/1", "public/a.png", "public/../a.png", "a?expires=never&size=many&type=&signature=x"):
        response = await anonymous.call("PUT", f"/media/{path}", content=PICTURE)
        assert response.json()["error"]["code"] == "UPLOAD_REFUSED"
    assert len(await media.keys("")) == 3


@pytest.mark.parametrize(("origin", "allowed"), [(FRONTEND, FRONTEND), ("https://evil.example", None)])
async def test_pages_of_the_frontend_can_upload(
    media: FilesystemBlobStore, anonymous: Browser, origin: str, allowed: str | None
) -> None:
    url = await upload_to(media)
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": url.method,
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = await anonymous.call("OPTIONS", url.url, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers.get("access-control-allow-origin") == allowed
    if allowed:
        assert url.method in preflight.headers["access-control-allow-methods"].split(", ")
        assert set(url.headers) <= set(preflight.headers["access-control-allow-headers"].split(", "))
    sent = await anonymous.call(url.method, url.url, headers={**url.headers, "Origin": origin}, content=PICTURE)
    assert sent.headers.get("access-control-allow-origin") == allowed
