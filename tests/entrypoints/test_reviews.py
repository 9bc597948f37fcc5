"""The setting by which near copies wait for an admin, and what their artist sees."""

import pytest

from core.audit.model import Operator
from core.identifiers import StyleId
from core.moderation.reject_training import RejectTraining
from tests.contracts.images.test_perceptual_hashes import scene
from tests.entrypoints.service import Service
from tests.entrypoints.test_styles import create
from tests.support.memory_world import MemoryWorld
from tests.support.photographs import encoded

FILES = [("images", (f"{n}.png", encoded(scene(n, (512, 512)), "PNG"), "image/png")) for n in range(10)]


@pytest.mark.parametrize(("setting", "review", "tasks"), [("on", "pending", 1), ("off", None, 2)])
async def test_the_review_of_near_copies_is_a_setting(
    world: MemoryWorld, setting: str, review: str | None, tasks: int
) -> None:
    service = Service(world, review_near_copies=setting)
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    async with service.browser(mia) as browser:
        assert (await create(browser, files=FILES))[0] == 201
    async with service.browser(zoe) as browser:
        status, made = await create(browser, files=FILES)
        assert (status, made["training_status"]) == (201, "pending")
        assert len(await world.tasks()) == tasks
        shown = (await browser.get(f"/api/styles/{made['id']}")).json()["data"]
        assert (shown["training_status"], shown["review"]) == ("pending", review)
    await service.container.close()


async def test_a_rejected_style_cannot_be_trained(world: MemoryWorld) -> None:
    service = Service(world, review_near_copies="on")
    async with service.browser(await world.artist("mia")) as browser:
        await create(browser, files=FILES)
    async with service.browser(await world.artist("zoe")) as browser:
        _, made = await create(browser, files=FILES)
        await world.use_case(RejectTraining)(Operator(None), StyleId(made["id"]), reason="Copied.")

        refused = await browser.post(f"/api/styles/{made['id']}/retrain")
        shown = (await browser.get(f"/api/styles/{made['id']}")).json()["data"]

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ARTWORKS_REJECTED")
    assert (shown["review"], shown["failure"]["code"]) == ("rejected", "ARTWORKS_REJECTED")
    await service.container.close()
