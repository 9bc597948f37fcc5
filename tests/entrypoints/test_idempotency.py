"""Repeated calls: after a lost response, a double click, a retry of a proxy."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.accounts.model import User
from core.notifications.model import Notification, NotificationType
from core.ports.idempotency import KEPT
from core.styles.model import Style
from tests.entrypoints.pictures import picture, pictures
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld
from tests.support.world import gift

KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


@pytest.fixture
async def style(world: MemoryWorld) -> Style:
    return await world.style(await world.artist())


def asking(style: Style, tag: str = "cat") -> dict[str, Any]:
    return {"style_id": style.id, "prompt_tags": [tag]}


async def images(browser: Browser) -> list[Any]:
    results: list[Any] = (await browser.get("/api/generations/me")).json()["data"]["results"]
    return results


async def funds(browser: Browser) -> tuple[int, int]:
    said = (await browser.get("/api/tokens/balance")).json()["data"]
    return said["token_balance"], said["held_tokens"]


def same(first: httpx.Response, again: httpx.Response) -> None:
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("location") == first.headers.get("location")
    assert again.headers.get_list("content-type") == first.headers.get_list("content-type")


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_a_repeated_generation_request_costs_once(service: Service, world: MemoryWorld, style: Style) -> None:
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        first = await browser.post("/api/generations", json=asking(style), headers=KEY)
        assert first.status_code == 201
        world.clock.advance(timedelta(hours=23))

        same(first, await browser.post("/api/generations/", json=asking(style), headers=KEY))

        assert len(await images(browser)) == 1
        assert await funds(browser) == (70, 30)
    assert len(await world.tasks()) == 1


async def test_without_a_key_every_call_counts(service: Service, world: MemoryWorld, style: Style) -> None:
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        for _ in range(2):
            response = await browser.post("/api/generations", json=asking(style))
            assert "idempotent-replayed" not in response.headers
        assert await funds(browser) == (40, 60)


async def test_concurrent_repeats_cost_once(service: Service, world: MemoryWorld, style: Style) -> None:
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        answers = await asyncio.gather(
            *(browser.post("/api/generations", json=asking(style), headers=KEY) for _ in range(8))
        )
        assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
        assert await funds(browser) == (70, 30)


async def test_a_key_is_bound_to_body_and_path(service: Service, world: MemoryWorld, style: Style) -> None:
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        await browser.post("/api/generations", json=asking(style), headers=KEY)

        other_body = await browser.post("/api/generations", json=asking(style, "dog"), headers=KEY)
        other_path = await browser.post("/api/notifications/read-all", headers=KEY)

        assert refusal(other_body) == refusal(other_path) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert await funds(browser) == (70, 30)


async def test_a_key_is_bound_to_its_user(service: Service, world: MemoryWorld, style: Style) -> None:
    for name in ("ann", "ben"):
        async with service.browser(await world.user(name, tokens=100)) as browser:
            response = await browser.post("/api/generations", json=asking(style), headers=KEY)
            assert "idempotent-replayed" not in response.headers
            assert await funds(browser) == (70, 30)


async def test_a_key_expires_after_a_day(service: Service, world: MemoryWorld, style: Style) -> None:
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        await browser.post("/api/generations", json=asking(style), headers=KEY)
        world.clock.advance(KEPT)

        response = await browser.post("/api/generations", json=asking(style), headers=KEY)

        assert "idempotent-replayed" not in response.headers
        assert await funds(browser) == (40, 60)


async def test_a_refusal_is_not_stored(service: Service, world: MemoryWorld, style: Style) -> None:
    """It changed nothing: after insufficient tokens the key may be used again, also with another body."""
    ann = await world.user("ann", tokens=10)
    async with service.browser(ann) as browser:
        refused = await browser.post("/api/generations", json=asking(style), headers=KEY)
        assert refusal(refused) == (402, "INSUFFICIENT_TOKENS")
        await give(world, ann, 100)

        accepted = await browser.post("/api/generations", json=asking(style, "dog"), headers=KEY)

        assert accepted.status_code == 201
        assert "idempotent-replayed" not in accepted.headers
        assert await funds(browser) == (80, 30)


async def give(world: MemoryWorld, user: User, tokens: int) -> None:
    async with world.block() as scope:
        await scope.ledger.transfer(gift(user.id, tokens, world))


@pytest.mark.parametrize("key", ["", "x" * 256, "two\tparts", "열쇠".encode()])
async def test_an_unprintable_key_is_refused(
    service: Service, world: MemoryWorld, style: Style, key: str | bytes
) -> None:
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        response = await browser.post("/api/generations", json=asking(style), headers={"Idempotency-Key": key})
        assert refusal(response) == (422, "VALIDATION_ERROR")
        assert await funds(browser) == (100, 0)


async def test_the_guard_precedes_the_idempotency_key(service: Service, world: MemoryWorld, style: Style) -> None:
    ann = await world.user("ann", tokens=100)
    async with service.browser(ann) as browser, service.browser() as stranger:
        await browser.post("/api/generations", json=asking(style), headers=KEY)
        browser.csrf = "forged"
        forged = await browser.post("/api/generations", json=asking(style), headers=KEY)
        assert refusal(forged) == (403, "CSRF_FAILED")
        assert refusal(await stranger.post("/api/generations", json=asking(style), headers=KEY)) == (
            401,
            "UNAUTHORIZED",
        )


async def test_a_repeated_purchase_opens_one_order(service: Service, world: MemoryWorld) -> None:
    body = {"package_id": "standard_500"}
    async with service.browser(await world.user("ann")) as browser:
        first = await browser.post("/api/tokens/purchase", json=body, headers=KEY)
        assert first.status_code == 201

        same(first, await browser.post("/api/tokens/purchase", json=body, headers=KEY))

    assert len(world.database.tables.purchases) == 1


async def test_a_repeated_upgrade_is_replayed(service: Service, world: MemoryWorld) -> None:
    """The response shows what the call has written; the form is the same, though its boundary is not."""
    form = {"artist_name": "Mina", "verified_email": "mina@example.com"}

    async with service.browser(await world.user("mina")) as browser:

        async def upgrade(picture: bytes) -> httpx.Response:
            files = {"signature_image": ("signature.png", picture, "image/png")}
            return await browser.post("/api/users/me/upgrade-to-artist", data=form, files=files, headers=KEY)

        first = await upgrade(picture(200, 100))
        assert first.status_code == 201
        assert first.json()["data"]["artist"]["artist_name"] == "Mina"

        same(first, await upgrade(picture(200, 100)))
        assert refusal(await upgrade(picture(200, 101))) == (422, "IDEMPOTENCY_KEY_REUSED")

    assert len(await world.blobs.keys("signatures/")) == 1


async def test_a_repeated_style_is_replayed(service: Service, world: MemoryWorld) -> None:
    """The pictures that came again are not stored again."""
    form = {"name": "Ink", "description": "", "generation_cost_tokens": "30", "license_type": "personal"}

    async with service.browser(await world.artist()) as browser:

        async def make(files: list[Any], **changes: str) -> httpx.Response:
            return await browser.post("/api/styles", data=form | changes, files=files, headers=KEY)

        first = await make(pictures(10))
        assert first.status_code == 201
        stored = await world.blobs.keys("training/")

        same(first, await make(pictures(10)))
        for other in (await make(pictures(11)), await make(pictures(10), name="Oil")):
            assert refusal(other) == (422, "IDEMPOTENCY_KEY_REUSED")

    assert await world.blobs.keys("training/") == stored
    assert (len(stored), len(world.database.tables.styles), len(await world.tasks())) == (10, 1, 1)


async def test_a_repeated_mark_all_as_read_is_replayed(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")

    async def send_notification(reason: str) -> None:
        async with world.block() as scope:
            await scope.notifier.notify(
                Notification(
                    id=await world.ids.notification(),
                    recipient=ann.id,
                    type=NotificationType.GENERATION_COMPLETE,
                    reason=reason,
                    target_type="generation",
                    target_id=1,
                    at=world.clock.now(),
                )
            )

    await send_notification("one")
    async with service.browser(ann) as browser:
        first = await browser.post("/api/notifications/read-all", headers=KEY)
        assert first.json()["data"] == {"updated_count": 1}
        await send_notification("two")

        same(first, await browser.post("/api/notifications/read-all", headers=KEY))

        assert (await browser.get("/api/notifications")).json()["data"]["unread_count"] == 1
