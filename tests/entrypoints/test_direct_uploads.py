"""Artworks that browsers send straight to the store."""

from pathlib import Path
from typing import Any

import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from tests.entrypoints.service import API, Browser, Service
from tests.support.world import MemoryWorld


@pytest.fixture
def media(world: MemoryWorld, tmp_path: Path) -> FilesystemBlobStore:
    return FilesystemBlobStore(tmp_path, world.clock, base_url=API, secret=b"secret")


@pytest.fixture
def service(world: MemoryWorld, media: FilesystemBlobStore) -> Service:
    return Service(world, media=media)


async def announce(browser: Browser, *files: dict[str, Any]) -> list[dict[str, Any]]:
    response = await browser.post("/api/styles/uploads", json={"files": list(files)})
    assert (response.status_code, response.headers["location"]) == (201, "/api/styles/uploads")
    announced: list[dict[str, Any]] = response.json()["data"]
    return announced


def png(size: int) -> dict[str, Any]:
    return {"name": "a.png", "content_type": "image/png", "size": size}


async def test_announced_files_are_sent_and_listed(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        first, second = await announce(browser, png(3), png(4))
        assert set(first) == {"upload_id", "upload_url", "method", "headers", "expires_at"}
        assert (first["method"], first["headers"]) == ("PUT", {"Content-Type": "image/png"})
        sent = await browser.call(second["method"], second["upload_url"], headers=second["headers"], content=b"1234")
        assert sent.status_code == 204

        listed = (await browser.get("/api/styles/uploads")).json()["data"]
    assert [(upload["upload_id"], upload["size"], upload["arrived"]) for upload in listed] == [
        (first["upload_id"], 3, False),
        (second["upload_id"], 4, True),
    ]


@pytest.mark.parametrize(
    ("body", "code", "details"),
    [
        ({}, "VALIDATION_ERROR", {"files": "This field is required."}),
        ({"files": []}, "VALIDATION_ERROR", {"files": "1 to 100."}),
        ({"files": [{**png(1), "size": "1"}]}, "VALIDATION_ERROR", {"files.0.size": "Expected `int`, got `str`."}),
        ({"files": [{**png(1), "url": "x"}]}, "VALIDATION_ERROR", None),
        ({"files": [{**png(1), "content_type": "image/gif"}]}, "INVALID_IMAGE_FORMAT", {"index": 0, "file": "a.png"}),
        (
            {"files": [png(10 * 1024 * 1024 + 1)]},
            "IMAGE_SIZE_EXCEEDED",
            {"index": 0, "file": "a.png", "size": 10485761, "allowed": 10485760},
        ),
    ],
)
async def test_what_cannot_be_an_artwork_is_refused(
    service: Service, world: MemoryWorld, body: dict[str, Any], code: str, details: dict[str, Any] | None
) -> None:
    async with service.browser(await world.artist()) as browser:
        response = await browser.post("/api/styles/uploads", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (422, code)
        if details:
            assert response.json()["error"]["details"] == details
        assert (await browser.get("/api/styles/uploads")).json()["data"] == []


async def test_too_many_unused_uploads_are_refused(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        for _ in range(3):
            await announce(browser, *[png(1)] * 100)
        response = await browser.post("/api/styles/uploads", json={"files": [png(1)]})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "UPLOAD_LIMIT_REACHED")
    assert response.json()["error"]["details"] == {"limit": 300}


async def test_a_repeated_announcement_gets_the_first_answer(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        key = {"Idempotency-Key": "one"}
        first, again = [
            await browser.post("/api/styles/uploads", json={"files": [png(1)]}, headers=key) for _ in range(2)
        ]
        assert first.json() == again.json()
        assert len((await browser.get("/api/styles/uploads")).json()["data"]) == 1
