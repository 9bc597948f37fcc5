"""Rate limits and their headers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network

import pytest

from core.ports.rate_limiter import Limit
from entrypoints.settings import RateLimits
from tests.entrypoints.service import Browser, Service
from tests.support.world import MemoryWorld

MINUTE = timedelta(minutes=1)
LIMITS = RateLimits(
    sign_in=Limit(2, 5 * MINUTE),
    generate=Limit(1, MINUTE),
    export=Limit(1, MINUTE),
    upload=Limit(2, MINUTE),
    signed_in=Limit(4, MINUTE),
    anonymous=Limit(3, MINUTE),
)


@pytest.fixture
async def service(world: MemoryWorld) -> AsyncIterator[Service]:
    world.clock.advance(MINUTE * 5 - timedelta(seconds=world.clock.now().timestamp() % 300))
    service = Service(world, rate_limits=LIMITS, trusted_proxies=[ip_network("10.0.0.0/8")])
    yield service
    await service.container.close()


async def statuses(browser: Browser, path: str, times: int, **options: object) -> list[int]:
    return [(await browser.get(path, **options)).status_code for _ in range(times)]


async def test_exceeding_the_limit_returns_retry_after(service: Service) -> None:
    async with service.browser() as browser:
        first = await browser.get("/api/styles")
        assert first.headers["X-RateLimit-Limit"] == "3"
        assert first.headers["X-RateLimit-Remaining"] == "2"
        await statuses(browser, "/api/styles", 2)

        refused = await browser.get("/api/styles")

        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        assert refused.headers["Retry-After"] == refused.headers["X-RateLimit-Reset"] == "120"
        service.world.clock.advance(timedelta(seconds=120))
        assert (await browser.get("/api/styles")).status_code == 200


async def test_users_are_counted_independently_of_their_address(service: Service, world: MemoryWorld) -> None:
    ann, ben = await world.user("ann"), await world.user("ben")
    async with service.browser(ann) as browser, service.browser(ann, address="192.0.2.7") as another:
        # Each browser has looked up who it is.
        assert await statuses(browser, "/api/tokens/balance", 1) == [200]
        assert await statuses(another, "/api/tokens/balance", 2) == [200, 429]
    async with service.browser(ben) as browser:
        assert await statuses(browser, "/api/tokens/balance", 1) == [200]


async def test_clients_without_a_session_are_counted_by_forwarded_address(service: Service) -> None:
    async with service.browser(address="10.0.0.1") as proxy:
        for address in ("192.0.2.1", "192.0.2.2"):
            forwarded = {"X-Forwarded-For": address}
            assert await statuses(proxy, "/api/styles", 4, headers=forwarded) == [200, 200, 200, 429]


async def test_forged_addresses_are_ignored(service: Service) -> None:
    async with service.browser(address="192.0.2.1") as browser:
        answers = [
            (await browser.get("/api/styles", headers={"X-Forwarded-For": f"198.51.100.{number}"})).status_code
            for number in range(4)
        ]

    assert answers == [200, 200, 200, 429]


async def test_signing_in_has_a_limit_of_its_own(service: Service) -> None:
    async with service.browser() as browser:
        assert await statuses(browser, "/api/auth/google/login", 3) == [302, 302, 429]
        assert await statuses(browser, "/api/styles", 1) == [200]


async def test_asking_for_images_has_a_limit_of_its_own(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as browser:
        order = {"style_id": 1, "prompt_tags": ["sea"]}
        answers = [await browser.post("/api/generations", json=order) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [404, 429]
        assert answers[0].headers["X-RateLimit-Limit"] == "1"


async def test_exporting_has_a_limit_of_its_own(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        assert await statuses(browser, "/api/users/me/export", 2) == [200, 429]
        assert await statuses(browser, "/api/tokens/balance", 1) == [200]


async def test_uploads_have_a_limit_of_their_own_refused_ones_included(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        files = {"images": ("a.png", b"no picture")}
        answers = [await browser.post("/api/styles", data={"name": "Ink"}, files=files) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [422, 422, 429]
        assert await statuses(browser, "/api/tokens/balance", 1) == [200]


async def test_guessing_sessions_is_counted_too(service: Service) -> None:
    async with service.browser() as browser:
        browser.client.cookies.set("sessionid", "guessed")
        assert await statuses(browser, "/api/auth/me", 4) == [401, 401, 401, 429]


async def test_webhooks_and_health_are_not_limited(service: Service) -> None:
    async with service.browser() as browser:
        assert set(await statuses(browser, "/api/health", 10)) == {200}
        headers = service.ai_server("training-server")
        progress = {"current_epoch": 1, "total_epochs": 2, "progress_percent": 50, "estimated_seconds": 1}
        body = {"style_id": 1, "progress": progress}
        answers = [
            await browser.client.patch("/api/webhooks/training/progress", json=body, headers=headers) for _ in range(10)
        ]

    assert {answer.status_code for answer in answers} == {404}
    assert "X-RateLimit-Limit" not in answers[0].headers
