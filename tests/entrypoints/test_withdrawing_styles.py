from io import BytesIO

import pytest

from core.paging import PageRequest
from core.ports.blob_store import Blob
from core.takedowns.carry_out_takedowns import CarryOutTakedowns
from tests.entrypoints.pictures import picture
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld


async def test_a_style_is_withdrawn_by_its_artist(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=60)
    style = await world.style(mia)
    image = await world.generation(ann, style)
    async with service.browser(mia) as browser:
        response = await browser.post(f"/api/styles/{style.id}/withdraw", json={"reason": " Mine. "})
    shown = response.json()["data"]
    assert (response.status_code, shown["is_active"]) == (200, False)
    assert shown["takedown"] == {
        "at": shown["updated_at"],
        "reason": " Mine. ",
        "by_admin": False,
        "keeps_images": True,
        "pending": False,
    }
    async with service.browser(ann) as browser:
        view = (await browser.get(f"/api/generations/{image.id}")).json()["data"]
        assert (view["status"], view["refunded"]) == ("cancelled", True)
        refused = await browser.post("/api/generations", json={"style_id": style.id, "prompt_tags": ["cat"]})
        assert refused.json()["error"]["code"] == "STYLE_NOT_READY"
    async with service.browser(mia) as browser:
        refused = await browser.patch(f"/api/styles/{style.id}", json={"is_active": True})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "STYLE_WITHDRAWN")


async def test_a_style_is_withdrawn_with_its_images_by_an_admin(service: Service, world: MemoryWorld) -> None:
    mia, ann, eve = await world.artist("mia"), await world.user("ann", tokens=60), await world.admin("eve")
    style = await world.style(mia)
    image = await world.image(ann, style, public=True)
    await world.blobs.put(Blob(f"generations/gen-{image.id}.png", BytesIO(picture()), "image/png"))
    async with service.browser(eve) as browser:
        response = await browser.post(
            f"/api/styles/{style.id}/withdraw", json={"reason": "Copied.", "keep_images": False}
        )
    assert response.json()["data"]["takedown"]["by_admin"]
    [line] = (await world.read.audit.list(page=PageRequest())).rows
    assert (line.action, line.trace_id) == ("style.withdrawn", response.headers["x-trace-id"])
    async with service.browser(ann) as browser:
        refused = await browser.patch(f"/api/generations/{image.id}", json={"is_public": True})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "IMAGES_WITHDRAWN")
    async with service.browser() as browser:
        assert (await browser.get(f"/api/styles/{style.id}")).json()["data"]["sample_artworks"] == []


async def test_with_an_idempotency_key_maintenance_finishes_the_takedown(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=60)
    style = await world.style(mia)
    image = await world.generation(ann, style)
    async with service.browser(mia) as browser:
        for _ in range(2):
            response = await browser.post(
                f"/api/styles/{style.id}/withdraw", json={"reason": "Mine."}, headers={"Idempotency-Key": "once"}
            )
            assert response.json()["data"]["takedown"]["pending"]
    assert await world.use_case(CarryOutTakedowns)() == 1
    assert (await world.read.generations.detail(image.id, viewer=ann.id)).status == "cancelled"


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "No.", "hide": True}])
async def test_a_withdrawal_requires_a_reason(service: Service, world: MemoryWorld, body: dict[str, object]) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia)
    async with service.browser(mia) as browser:
        response = await browser.post(f"/api/styles/{style.id}/withdraw", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
