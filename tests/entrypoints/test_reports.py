"""Reports over HTTP: what is sent, and an image that is hidden by one."""

from io import BytesIO

import pytest

from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.ports.blob_store import Blob
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import picture


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"target_type": "artist", "target_id": 1, "reason": "spam"}, "target_type"),
        ({"target_type": "user", "target_id": 0, "reason": "spam"}, "target_id"),
        ({"target_type": "user", "target_id": 1, "reason": "dull"}, "reason"),
        ({"target_type": "user", "target_id": 1, "reason": "spam", "text": "x" * 1001}, "text"),
    ],
)
async def test_an_invalid_report_is_refused(
    service: Service, world: MemoryWorld, body: dict[str, object], field: str
) -> None:
    await world.artist("mia")
    async with service.browser(await world.user("ann")) as browser:
        answer = await browser.post("/api/reports", json=body)
    assert (answer.status_code, field in answer.json()["error"]["details"]) == (422, True)


@pytest.mark.parametrize("key", [None, "once"])
async def test_a_hidden_images_copy_is_not_deleted_before_the_commit(world: MemoryWorld, key: str | None) -> None:
    """With a key the commit comes after the answer is made: a maintenance pass deletes the copy."""
    service = Service(world, reports_to_hide=1)
    mia, ann = await world.artist("mia", tokens=100), await world.user("ann")
    image = await world.image(mia, await world.style(mia))
    assert image.result_key
    await world.blobs.put(Blob(image.result_key, BytesIO(picture()), "image/png"))
    await world.use_case(EditGeneration)(mia.id, image.id, GenerationChanges(is_public=True))
    copies = await world.blobs.keys("public/generations/")
    assert copies

    async with service.browser(ann) as browser:
        answer = await browser.post(
            "/api/reports",
            json={"target_type": "generation", "target_id": image.id, "reason": "copyright"},
            headers={"Idempotency-Key": key} if key else {},
        )
        report = answer.json()["data"]
        assert (answer.status_code, answer.headers["location"]) == (201, f"/api/reports/{report['id']}")
        assert (await browser.get(answer.headers["location"])).json()["data"] == report

    assert world.database.tables.generations[image.id].hidden
    assert await world.blobs.keys("public/generations/") == (copies if key else [])
    assert bool(world.database.tables.discarded) is bool(key)
