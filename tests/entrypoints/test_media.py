from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from core.ports.blob_store import Blob
from tests.entrypoints.service import API, Browser, Service
from tests.support.world import MemoryWorld

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
async def test_nothing_else_is_there(anonymous: Browser, path: str) -> None:
    assert (await anonymous.get(f"/media/{path}")).status_code == 404


async def test_a_signature_is_good_for_its_own_object(media: FilesystemBlobStore, anonymous: Browser) -> None:
    url = await media.signed_url("results/notes.html")
    assert (await anonymous.get(url.replace("notes.html", "1.png"))).status_code == 404


async def test_stored_objects_are_never_served_as_pages(media: FilesystemBlobStore, anonymous: Browser) -> None:
    response = await anonymous.get(await media.signed_url("results/notes.html"))
    assert response.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in response.headers["content-security-policy"]


async def test_an_object_that_one_has_is_not_sent_again(media: FilesystemBlobStore, anonymous: Browser) -> None:
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
