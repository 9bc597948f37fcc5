"""Training and choosing versions of a style through the API."""

from pathlib import Path
from typing import Any

import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from tests.entrypoints.service import API, Service
from tests.entrypoints.test_direct_uploads import CONTENTS, FIELDS, arrived, check
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import picture

MORE = [picture(color="#123456"), picture(color="#654321")]


@pytest.fixture
def media(world: MemoryWorld, tmp_path: Path) -> FilesystemBlobStore:
    return FilesystemBlobStore(tmp_path, world.clock, base_url=API, secret=b"secret")


@pytest.fixture
def service(world: MemoryWorld, media: FilesystemBlobStore) -> Service:
    return Service(world, media=media)


async def report(service: Service, world: MemoryWorld, call: str, style_id: int, **fields: object) -> Any:
    """A webhook of the training server; the answer's data, or the code of its refusal."""
    async with service.browser() as server:
        body = {"style_id": style_id, **fields}
        method = "PATCH" if call == "progress" else "POST"
        headers = service.ai_server("training-server")
        answer = (await server.call(method, f"/api/webhooks/training/{call}", json=body, headers=headers)).json()
    return answer["data"] if answer["success"] else answer["error"]["code"]


async def test_a_new_version_is_trained_and_chosen(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    done = {"applied": True, "status": "completed"}
    async with service.browser(mia) as browser, service.browser(ann) as buyer:

        async def generated() -> Any:
            body = {"style_id": style["id"], "prompt_tags": ["cat"]}
            created = (await buyer.post("/api/generations", json=body)).json()["data"]
            return created["style_version"], (await buyer.get(f"/api/generations/{created['id']}")).json()["data"]

        made = await browser.post("/api/styles", json={**FIELDS, "upload_ids": await arrived(browser, CONTENTS)})
        path = made.headers["location"]
        await check(service)
        assert await report(service, world, "complete", made.json()["data"]["id"], model_path="gs://m/1") == done
        style = (await browser.get(path)).json()["data"]
        assert (style["version"], style["model_path"]) == (1, "gs://m/1")

        fields = {"captions": ["a cat", ""], "image_tags": ["red, hat", ""], "rights_affirmed": True}
        created = await browser.post(f"{path}/versions", json={**fields, "upload_ids": await arrived(browser, MORE)})
        assert (created.status_code, created.headers["location"]) == (201, f"{path}/versions/2")
        assert created.json()["data"] == {
            "style_id": style["id"],
            "version": 2,
            "training_status": "pending",
            "created_at": "2026-01-01T00:00:00Z",
        }
        checking = (await browser.get(created.headers["location"])).json()["data"]
        assert (checking["checking"]["total_files"], checking["artwork_count"], checking["artworks"]) == (2, 0, [])
        assert checking["rights"]["explicit"] is True
        await check(service)
        version = await world.training_of(style["id"])
        progress = {"current_epoch": 5, "total_epochs": 10, "progress_percent": 50}
        assert (await report(service, world, "progress", version.id, progress=progress))["applied"]

        listed = (await browser.get(f"{path}/versions")).json()["data"]
        assert [(one["version"], one["in_use"], one["training_status"], one["artwork_count"]) for one in listed] == [
            (2, False, "training", 12),
            (1, True, "completed", 10),
        ]
        assert (listed[0]["progress"]["current_epoch"], listed[0]["completed_at"]) == (5, None)
        for number, code in ((2, "VERSION_NOT_READY"), (3, "VERSION_NOT_FOUND")):
            refused = await browser.patch(path, json={"version": number, "generation_cost_tokens": 7})
            assert refused.json()["error"]["code"] == code
        assert (await generated())[0] == 1
        assert await report(service, world, "complete", version.id, model_path="gs://m/2") == done
        assert (await generated())[1]["style"]["version"] == 1

        chosen = (await browser.patch(path, json={"version": 2, "generation_cost_tokens": 7})).json()["data"]
        assert (chosen["version"], chosen["model_path"], chosen["generation_cost_tokens"]) == (2, "gs://m/2", 7)
        assert len(chosen["artworks"]) == 12
        number, generation = await generated()
        assert (number, generation["style"]["version"], generation["consumed_tokens"]) == (2, 2, 7)
        listed_by_buyer = (await buyer.get("/api/generations/me")).json()["data"]["results"]
        assert sorted(one["style"]["version"] for one in listed_by_buyer) == [1, 1, 2]


@pytest.mark.parametrize("path", ["", "/events", "/examples", "/recommended-tags", "/versions"])
async def test_the_training_id_of_a_version_is_not_a_style_id(service: Service, world: MemoryWorld, path: str) -> None:
    mia = await world.artist("mia")
    version = await world.version(await world.style(mia))
    for who in (None, mia, await world.admin()):
        async with service.browser(who) as browser:
            answer = await browser.get(f"/api/styles/{version.id}{path}")
            assert answer.status_code == (401 if who is None and path == "/versions" else 404)
    async with service.browser(mia) as browser:
        at = f"/api/styles/{version.id}"
        assert (await browser.patch(at, json={"is_active": False})).status_code == 404
        assert (await browser.delete(at)).status_code == 404
        assert (await browser.post(f"{at}/retrain")).status_code == 404
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        wanted = {"style_id": version.id, "prompt_tags": ["cat"]}
        assert (await browser.post("/api/generations", json=wanted)).status_code == 404
        reported = {"target_type": "style", "target_id": version.id, "reason": "spam"}
        assert (await browser.post("/api/reports", json=reported)).status_code == 404


async def test_late_and_repeated_webhooks_reach_their_own_version(service: Service, world: MemoryWorld) -> None:
    style = await world.style(await world.artist("mia"))
    second = await world.version(style, trained=False)
    unchanged = {"applied": False, "status": "completed"}

    assert await report(service, world, "complete", style.id, model_path="gs://m/late") == unchanged
    assert await report(service, world, "failed", style.id, error_message="No", error_code="X") == unchanged
    assert (await world.training_of(style.id)) == second
    failed = {"error_message": "No", "error_code": "X"}
    assert (await report(service, world, "failed", second.id, **failed)) == {"applied": True, "status": "failed"}
    assert (await report(service, world, "failed", second.id, **failed)) == {"applied": False, "status": "failed"}
    assert await report(service, world, "complete", second.id, model_path="gs://m/2") == {
        "applied": True,
        "status": "completed",
    }
    assert await report(service, world, "complete", second.id, model_path="gs://m/3") == unchanged
    assert (await world.training_of(style.id)).model_path == "gs://m/2"
    assert world.database.tables.styles[style.id] == style
    assert await report(service, world, "complete", 4711, model_path="gs://m/4") == "STYLE_NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "VALIDATION_ERROR", "upload_ids"),
        ({"upload_ids": []}, "VALIDATION_ERROR", "upload_ids"),
        ({"upload_ids": ["1"]}, "VALIDATION_ERROR", "upload_ids.0"),
        ({"upload_ids": [1], "name": "Oil"}, "VALIDATION_ERROR", "name"),
        ({"upload_ids": [1], "captions": ["a", "b"]}, "VALIDATION_ERROR", "captions"),
        ({"upload_ids": [1], "captions": ["a" * 501]}, "VALIDATION_ERROR", "captions.0"),
        ({"upload_ids": [1], "image_tags": ["고양이"]}, "INVALID_TAG_LANGUAGE", "image_tags.0"),
        ({"upload_ids": [4711]}, "UNUSABLE_UPLOAD", "index"),
        ({"upload_ids": [1], "rights_affirmed": False}, "RIGHTS_NOT_AFFIRMED", None),
    ],
)
async def test_a_version_that_cannot_be_trained_is_refused(
    service: Service, world: MemoryWorld, body: dict[str, Any], code: str, field: str | None
) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia)
    async with service.browser(mia) as browser:
        refused = await browser.post(f"/api/styles/{style.id}/versions", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)
    if field:
        assert field in refused.json()["error"]["details"]


@pytest.mark.parametrize("version", [0, -1, 2**63, "2", 1.5, None])
async def test_an_invalid_version_number_is_refused(service: Service, world: MemoryWorld, version: object) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia)
    async with service.browser(mia) as browser:
        refused = await browser.patch(f"/api/styles/{style.id}", json={"version": version})
    assert (refused.status_code, list(refused.json()["error"]["details"])) == (422, ["version"])


async def test_the_export_has_all_versions(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia)
    await world.version(style)
    async with service.browser(mia) as browser:
        exported = (await browser.get("/api/users/me/export")).json()["data"]
    versions = exported["style_versions"]
    assert [(one["style_id"], one["version"]["version"], len(one["version"]["artworks"])) for one in versions] == [
        (style.id, 1, 10),
        (style.id, 2, 10),
    ]
