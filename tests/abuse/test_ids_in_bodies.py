"""Ids of other users' resources in bodies: invisible or unusable ones are refused as unknown, and nothing changes."""

from typing import Any

import pytest

from core.community.post_comment import NewComment, PostComment
from tests.abuse.test_ids_of_others import rows
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld

FIELDS: dict[str, Any] = {
    "name": "Oil",
    "description": "",
    "generation_cost_tokens": 30,
    "license_type": "personal",
    "rights_affirmed": True,
}


async def refused(browser: Browser, world: MemoryWorld, path: str, body: dict[str, Any]) -> tuple[int, str]:
    before = rows(world)
    response = await browser.post(path, json=body)
    assert rows(world) == before
    return response.status_code, response.json()["error"]["code"]


async def test_uploads_of_another_artist_cannot_be_used(service: Service, world: MemoryWorld) -> None:
    files = [{"name": f"{number}.png", "content_type": "image/png", "size": 1} for number in range(10)]
    async with service.browser(await world.artist("mia")) as mia:
        announced = (await mia.post("/api/styles/uploads", json={"files": files})).json()["data"]
    ids = [upload["upload_id"] for upload in announced]
    async with service.browser(await world.artist("zoe")) as zoe:
        assert await refused(zoe, world, "/api/styles", {**FIELDS, "upload_ids": ids}) == (422, "UNUSABLE_UPLOAD")
        assert (await zoe.get("/api/styles/uploads")).json()["data"] == []


async def test_a_style_in_training_refuses_requests_of_others(service: Service, world: MemoryWorld) -> None:
    style = await world.untrained_style(await world.artist())
    async with service.browser(await world.user(tokens=100)) as ann:
        body = {"style_id": style.id, "prompt_tags": ["cat"]}
        assert await refused(ann, world, "/api/generations", body) == (404, "STYLE_NOT_FOUND")


async def test_a_reply_requires_a_comment_of_the_same_generation(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist(tokens=100), await world.user("ann")
    style = await world.style(mia)
    private, public = await world.image(mia, style), await world.image(mia, style, public=True)
    hidden = await world.use_case(PostComment)(mia.id, private.id, NewComment("Mine"))
    async with service.browser(ann) as browser:
        body = {"content": "Yours", "parent_id": hidden}
        path = f"/api/generations/{public.id}/comments"
        assert await refused(browser, world, path, body) == (404, "COMMENT_NOT_FOUND")


@pytest.mark.parametrize("target_type", ["generation", "style", "comment"])
async def test_invisible_targets_cannot_be_reported(service: Service, world: MemoryWorld, target_type: str) -> None:
    mia = await world.artist(tokens=100)
    image = await world.image(mia, await world.style(mia))
    targets = {
        "generation": image.id,
        "style": (await world.untrained_style(mia, "Not yet")).id,
        "comment": await world.use_case(PostComment)(mia.id, image.id, NewComment("Mine")),
    }
    async with service.browser(await world.user("ann")) as browser:
        body = {"target_type": target_type, "target_id": targets[target_type], "reason": "other", "text": "No."}
        status, _ = await refused(browser, world, "/api/reports", body)
    assert status == 404
