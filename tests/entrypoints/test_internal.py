"""The scheduler's call does the work of the relay and of maintenance."""

import pytest

from core.accounts.model import SESSION_LIFETIME
from core.generations.request_generation import NewGeneration, RequestGeneration
from entrypoints.tick import PUBLISHING
from tests.entrypoints.service import OPERATOR_TOKEN, PREVIOUS_OPERATOR_TOKEN, TOKEN, Browser, Service
from tests.entrypoints.test_maintenance import NOTHING
from tests.support.memory_world import MemoryWorld

SIGNATURE = {"objects_looked_at": 1}
"""The artist's, which is all there is in the store."""


def bearer(token: str = OPERATOR_TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def ask_for_images(world: MemoryWorld, number: int) -> None:
    ann, style = await world.user("ann", tokens=100_000), await world.style(await world.artist("mia"))
    for _ in range(number):
        await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))


async def test_a_tick_publishes_due_tasks_and_runs_maintenance(
    service: Service, world: MemoryWorld, anonymous: Browser
) -> None:
    await ask_for_images(world, 130)
    await service.session_of(await world.user("bob"))
    world.clock.advance(SESSION_LIFETIME)

    response = await anonymous.post("/internal/tick", headers=bearer())

    done = {"sessions_dropped": 1, "generations_timed_out": 130} | SIGNATURE
    maintenance = {"done": NOTHING | done, "failed": []}
    assert response.json()["data"] == {"published": 130, "all_published": True, "maintenance": maintenance}
    assert (await anonymous.post("/internal/tick", headers=bearer())).json()["data"]["published"] == 130  # the retries
    assert await world.tasks() == []


async def test_a_broker_outage_keeps_tasks_and_runs_maintenance(
    service: Service, world: MemoryWorld, anonymous: Browser
) -> None:
    await ask_for_images(world, 1)
    service.broker.up = False

    response = await anonymous.post("/internal/tick", headers=bearer())

    assert response.json()["data"] == {
        "published": 0,
        "all_published": False,
        "maintenance": {"done": NOTHING | SIGNATURE, "failed": []},
    }
    assert len(await world.tasks()) == 1


async def test_publishing_has_a_time_limit(
    service: Service, world: MemoryWorld, anonymous: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PUBLISHING == 25
    monkeypatch.setattr("entrypoints.tick.PUBLISHING", 0.0)
    await ask_for_images(world, 1)

    response = await anonymous.post("/internal/tick", headers=bearer())

    data = response.json()["data"]
    assert (data["published"], data["all_published"], data["maintenance"]["failed"]) == (0, False, [])


@pytest.mark.parametrize(
    "headers", [{}, bearer(""), bearer("wrong"), bearer(TOKEN), {"Authorization": f"Basic {OPERATOR_TOKEN}"}]
)
async def test_an_invalid_token_changes_nothing(
    service: Service, world: MemoryWorld, anonymous: Browser, headers: dict[str, str]
) -> None:
    await ask_for_images(world, 1)

    response = await anonymous.post("/internal/tick", headers=headers)

    assert (response.status_code, response.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert len(await world.tasks()) == 1


async def test_the_previous_token_is_accepted_during_rotation(anonymous: Browser) -> None:
    assert (await anonymous.post("/internal/tick", headers=bearer(PREVIOUS_OPERATOR_TOKEN))).status_code == 200
