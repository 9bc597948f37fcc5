"""Artworks that browsers send straight to the store."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from core.artwork_uploads.check_artworks import CheckArtworks
from core.ports.blob_store import StoreUnavailable
from core.ports.changes import Changes, style
from entrypoints import checks
from entrypoints.checks import run_checks
from entrypoints.http.body import MAX_WHOLE
from tests.entrypoints.service import API, Browser, Service
from tests.entrypoints.stream_client import streaming
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import picture


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


async def test_announced_files_are_uploaded_and_listed(service: Service, world: MemoryWorld) -> None:
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


async def test_an_upload_can_be_deleted(service: Service, world: MemoryWorld, media: FilesystemBlobStore) -> None:
    async with service.browser(await world.artist()) as browser:
        upload_id, *others = await arrived(browser)
        deleted = await browser.delete(f"/api/styles/uploads/{upload_id}")
        again = await browser.delete(f"/api/styles/uploads/{upload_id}")
        assert len(await media.keys("uploads/")) == len(others)
        await browser.post("/api/styles", json={**FIELDS, "upload_ids": [*others, *await arrived(browser)]})
        used = await browser.delete(f"/api/styles/uploads/{others[0]}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (again.status_code, again.json()["error"]["code"]) == (404, "UPLOAD_NOT_FOUND")
    assert (used.status_code, used.json()["error"]["code"]) == (409, "UPLOAD_USED")


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
async def test_an_invalid_announcement_is_refused(
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


async def test_a_repeated_announcement_replays_the_response(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        key = {"Idempotency-Key": "one"}
        first, again = [
            await browser.post("/api/styles/uploads", json={"files": [png(1)]}, headers=key) for _ in range(2)
        ]
        assert first.json() == again.json()
        assert len((await browser.get("/api/styles/uploads")).json()["data"]) == 1


CONTENTS = [picture(color=f"#0000{index:02x}") for index in range(10)]
FIELDS: dict[str, Any] = {"name": "Ink", "generation_cost_tokens": 30}


async def arrived(browser: Browser, contents: list[bytes] = CONTENTS) -> list[int]:
    """The ids of uploads that have been sent."""
    uploads = await announce(browser, *(png(len(content)) for content in contents))
    for upload, content in zip(uploads, contents, strict=True):
        sent = await browser.call(upload["method"], upload["upload_url"], headers=upload["headers"], content=content)
        assert sent.status_code == 204
    return [upload["upload_id"] for upload in uploads]


async def check(service: Service) -> None:
    async with service.container() as scope:
        use_case = await scope.get(CheckArtworks)
        while await use_case(limit=100):
            pass


async def test_a_style_is_created_from_uploads(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        fields = {
            **FIELDS,
            "tags": ["wet, black"],
            "captions": ["a cat", *[""] * 9],
            "image_tags": ["red, hat", *[""] * 9],
            "rights_affirmed": True,
            "valid_to": "2027-01-01T00:00:00+09:00",
            "upload_ids": await arrived(browser),
        }
        response = await browser.post("/api/styles", json=fields)
        assert response.status_code == 201
        created = response.json()["data"]
        assert (created["training_status"], created["artwork_count"]) == ("pending", 10)
        style = (await browser.get(response.headers["location"])).json()["data"]
        assert style["checking"] == {
            "checked_files": 0,
            "total_files": 10,
            "progress_percent": 0.0,
            "last_updated": "2026-01-01T00:00:00Z",
        }
        assert style["tags"] == ["ink", "wet", "black", "red", "hat", "a cat"]
        assert (style["rights"]["explicit"], style["valid_to"]) == (True, "2026-12-31T15:00:00Z")

        await check(service)
        style = (await browser.get(response.headers["location"])).json()["data"]
    assert (style["training_status"], style["checking"], len(style["artworks"])) == ("pending", None, 10)
    assert style["artworks"][0]["caption"] == "a cat"
    assert len(await world.tasks()) == 1


async def test_a_refused_file_is_named(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        uploads = await arrived(browser, [*CONTENTS[:4], b"no image", *CONTENTS[5:]])
        response = await browser.post("/api/styles", json={**FIELDS, "upload_ids": uploads})
        assert response.status_code == 201
        await check(service)
        style = (await browser.get(response.headers["location"])).json()["data"]
        retried = await browser.post(f"{response.headers['location']}/retrain")
    assert style["training_status"] == "failed"
    assert style["failure"] == {
        "code": "INVALID_IMAGE_FORMAT",
        "message": "The file a.png was refused.",
        "details": {"index": 4, "file": "a.png"},
    }
    assert (retried.status_code, retried.json()["error"]["code"]) == (422, "INSUFFICIENT_IMAGES")


@pytest.mark.parametrize(
    ("change", "code", "details"),
    [
        ({"upload_ids": None}, "VALIDATION_ERROR", None),
        ({"upload_ids": []}, "INSUFFICIENT_IMAGES", {"required": 10, "received": 0}),
        ({"upload_ids": [10**30] * 10}, "UNUSABLE_UPLOAD", {"index": 0}),
        ({"upload_ids": list(range(100, 110))}, "UNUSABLE_UPLOAD", {"index": 0}),
        ({"upload_ids": list(range(101))}, "TOO_MANY_IMAGES", {"allowed": 100, "received": 101}),
        ({"upload_ids": [1] * 10, "captions": [""]}, "VALIDATION_ERROR", {"captions": "One per image: 10, not 1."}),
        ({"images": ["data:image/png;base64,AAAA"]}, "VALIDATION_ERROR", None),
        ({"generation_cost_tokens": "30"}, "VALIDATION_ERROR", None),
        ({"rights_affirmed": False}, "RIGHTS_NOT_AFFIRMED", None),
    ],
)
async def test_invalid_fields_are_refused_at_once(
    service: Service, world: MemoryWorld, change: dict[str, Any], code: str, details: dict[str, Any] | None
) -> None:
    async with service.browser(await world.artist()) as browser:
        uploads = await arrived(browser)
        response = await browser.post("/api/styles", json={**FIELDS, "upload_ids": uploads, **change})
        assert (response.status_code, response.json()["error"]["code"]) == (422, code)
        if details:
            assert response.json()["error"]["details"] == details
        assert len((await browser.get("/api/styles/uploads")).json()["data"]) == 10


async def test_a_style_with_missing_uploads_is_refused(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        uploads = [*await arrived(browser, CONTENTS[:9]), (await announce(browser, png(1)))[0]["upload_id"]]
        response = await browser.post("/api/styles", json={**FIELDS, "upload_ids": uploads})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "UPLOAD_MISSING")
    assert response.json()["error"]["details"] == {"index": 9, "file": "a.png"}


async def test_a_repeated_call_creates_one_style(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        uploads = await arrived(browser)
        key = {"Idempotency-Key": "one"}
        first, again = [
            await browser.post("/api/styles", json={**FIELDS, "upload_ids": uploads}, headers=key) for _ in range(2)
        ]
        other = await browser.post("/api/styles", json={**FIELDS, "upload_ids": []}, headers=key)
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
async def test_only_forms_can_be_large(
    service: Service, world: MemoryWorld, headers: dict[str, str], content_type: str
) -> None:
    sent = 0

    async def body() -> Any:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b" " * (MAX_WHOLE // 8)

    async with service.browser(await world.artist()) as browser:
        headers = {**headers, "Content-Type": content_type}
        response = await browser.post("/api/styles", headers=headers, content=body())
    assert response.status_code in {413, 415}
    assert sent < 16


async def test_progress_of_the_check_is_streamed(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    async with service.browser(mia) as browser:
        response = await browser.post("/api/styles", json={**FIELDS, "upload_ids": await arrived(browser)})
        location = response.headers["location"]
        async with streaming(service.app, f"{location}/events", session=await service.session_of(mia)) as stream:
            assert (await stream.event()).data["checking"]["checked_files"] == 0
            async with service.container() as scope:
                await (await scope.get(CheckArtworks))(limit=4)
            while (event := await stream.event()).data["checking"]["checked_files"] < 4:
                assert event.name == "progress"


async def test_checks_run_in_the_background(service: Service, world: MemoryWorld) -> None:
    running = asyncio.create_task(run_checks(service.container))
    async with service.browser(await world.artist()) as browser:
        uploads = await arrived(browser, [*CONTENTS[:9], b"no image"])
        failing = await browser.post("/api/styles", json={**FIELDS, "upload_ids": uploads})
        response = await browser.post(
            "/api/styles", json={**FIELDS, "name": "Other", "upload_ids": await arrived(browser)}
        )
        style_id = response.json()["data"]["id"]
        changes = await service.container.get(Changes)
        with changes.subscribe(style(style_id)) as subscription:
            while not await world.tasks():
                assert await subscription.changed(within=timedelta(seconds=10))
        failed = (await browser.get(failing.headers["location"])).json()["data"]
    assert failed["training_status"] == "failed"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_checks_continue_after_failures(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Exception] = [StoreUnavailable(), RuntimeError("a fault")]
    all_tried = asyncio.Event()

    async def failing(_: CheckArtworks, *, limit: int) -> int:
        if outcomes:
            raise outcomes.pop()
        all_tried.set()
        return 0

    monkeypatch.setattr(CheckArtworks, "__call__", failing)
    monkeypatch.setattr(checks, "POLL", timedelta(milliseconds=1))
    running = asyncio.create_task(run_checks(service.container))
    await asyncio.wait_for(all_tried.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
