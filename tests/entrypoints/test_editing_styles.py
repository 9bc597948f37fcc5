import base64
from typing import Any

import pytest

from core.styles.fail_training import FailTraining
from core.tasks.outcome import Failure
from tests.entrypoints.pictures import picture
from tests.entrypoints.service import Service
from tests.support.derivatives import originals
from tests.support.memory_world import MemoryWorld


async def test_the_terms_of_a_style_are_changed_as_json(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    style = await world.style(mia)
    changes = {
        "description": "Softer",
        "generation_cost_tokens": 70,
        "license_type": "exclusive",
        "valid_to": "2027-01-01T09:00:00+09:00",
        "is_active": False,
        "show_samples": False,
        "thumbnail": f"data:image/png;base64,{base64.b64encode(picture()).decode()}",
    }
    async with service.browser(mia) as browser:
        response = await browser.patch(f"/api/styles/{style.id}", json=changes)
        assert response.status_code == 200
        shown = response.json()["data"]
        [thumbnail] = originals(await world.blobs.keys("public/styles/"))
        expected = changes | {"valid_to": "2027-01-01T00:00:00Z", "name": "Ink", "sample_artworks": []}
        del expected["thumbnail"], expected["show_samples"]
        assert {name: shown[name] for name in expected} == expected
        assert shown["thumbnail_url"] == world.blobs.public_url(thumbnail)

        cleared = await browser.patch(f"/api/styles/{style.id}", json={"valid_to": None})
        assert cleared.json()["data"]["valid_to"] is None


async def test_the_terms_of_a_style_are_changed_as_a_form(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    style = await world.style(mia)
    async with service.browser(mia) as browser:
        response = await browser.patch(
            f"/api/styles/{style.id}",
            data={"generation_cost_tokens": "45", "is_active": "false"},
            files=[("thumbnail", ("mine.png", picture(), "image/png"))],
        )
    shown = response.json()["data"]
    assert (response.status_code, shown["generation_cost_tokens"], shown["is_active"]) == (200, 45, False)
    assert "public/styles/" in shown["thumbnail_url"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Other"}, "name"),
        ({"generation_cost_tokens": 0}, "generation_cost_tokens"),
        ({"generation_cost_tokens": "5"}, "generation_cost_tokens"),
        ({"license_type": "free"}, "license_type"),
        ({"valid_to": "2027-01-01T09:00:00"}, "valid_to"),
        ({"valid_to": "0001-01-01T00:00:00+14:00"}, "valid_to"),
        ({"thumbnail": "https://example.com/x.png"}, "thumbnail"),
        ({"is_active": None}, "is_active"),
    ],
)
async def test_an_invalid_change_is_refused(
    service: Service, world: MemoryWorld, changes: dict[str, Any], field: str
) -> None:
    mia = await world.artist()
    style = await world.style(mia)
    async with service.browser(mia) as browser:
        response = await browser.patch(f"/api/styles/{style.id}", json=changes)
    error = response.json()["error"]
    assert (response.status_code, error["code"], list(error["details"])) == (422, "VALIDATION_ERROR", [field])


async def test_a_thumbnail_that_is_not_an_image_is_refused(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    style = await world.style(mia)
    async with service.browser(mia) as browser:
        response = await browser.patch(
            f"/api/styles/{style.id}", files=[("thumbnail", ("mine.png", b"no picture", "image/png"))]
        )
    error = response.json()["error"]
    assert (response.status_code, error["code"], list(error["details"])) == (422, "INVALID_IMAGE_FORMAT", ["thumbnail"])


async def test_deleting_closes_used_and_deletes_unused_styles(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist(tokens=100)
    used, unused = await world.style(mia), await world.style(mia, "Oil")
    await world.image(mia, used)
    async with service.browser(mia) as browser:
        for style in (used, unused):
            assert (await browser.call("DELETE", f"/api/styles/{style.id}")).status_code == 204
        assert (await browser.get(f"/api/styles/{used.id}")).json()["data"]["is_active"] is False
        assert (await browser.get(f"/api/styles/{unused.id}")).status_code == 404


async def test_changing_another_artists_style_is_forbidden(service: Service, world: MemoryWorld) -> None:
    style = await world.style(await world.artist())
    async with service.browser(await world.artist("zoe")) as browser:
        for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/retrain")):
            response = await browser.call(method, f"/api/styles/{style.id}{path}", json={})
            assert (response.status_code, response.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_a_failed_training_is_retried_once(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    style = await world.untrained_style(mia)
    await world.use_case(FailTraining)(style.version_id, Failure("GPU_OOM", "Out of memory."))
    async with service.browser(mia) as browser:
        response = await browser.post(f"/api/styles/{style.id}/retrain")
        assert (response.status_code, response.json()["data"]["training_status"]) == (202, "pending")
        again = await browser.post(f"/api/styles/{style.id}/retrain", headers={"Accept-Language": "ko"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "TRAINING_IN_PROGRESS")
    assert again.json()["error"]["message"] == "실패한 학습만 다시 시작할 수 있습니다."
