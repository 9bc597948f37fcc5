"""Rate limits and their headers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network

import pytest

from adapters.memory.rate_limits import MemoryRateLimiter
from core.ports.database import DatabaseUnavailable
from core.ports.rate_limiter import Limit
from entrypoints.http.operation import operation_of, routes
from entrypoints.http.security.access import session_ignored
from entrypoints.parts import RateLimits
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld

MINUTE = timedelta(minutes=1)
LIMITS = RateLimits(
    sign_in=Limit(2, 5 * MINUTE),
    generate=Limit(1, MINUTE),
    export=Limit(1, MINUTE),
    upload=Limit(2, MINUTE),
    payment=Limit(5, MINUTE),
    payment_order=Limit(2, MINUTE),
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


async def test_sign_in_has_its_own_limit(service: Service) -> None:
    async with service.browser() as browser:
        assert await statuses(browser, "/api/auth/google/login", 3) == [302, 302, 429]
        assert await statuses(browser, "/api/styles", 1) == [200]


async def test_generation_requests_have_their_own_limit(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as browser:
        order = {"style_id": 1, "prompt_tags": ["sea"]}
        answers = [await browser.post("/api/generations", json=order) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [404, 429]
        assert answers[0].headers["X-RateLimit-Limit"] == "1"


async def test_exports_have_their_own_limit(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        assert await statuses(browser, "/api/users/me/export", 2) == [200, 429]
        assert await statuses(browser, "/api/tokens/balance", 1) == [200]


async def test_uploads_have_their_own_limit_including_refused_ones(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        files = {"images": ("a.png", b"no picture")}
        answers = [await browser.post("/api/styles", data={"name": "Ink"}, files=files) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [422, 422, 429]
        assert await statuses(browser, "/api/tokens/balance", 1) == [200]


async def test_invalid_sessions_are_counted(service: Service) -> None:
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


async def test_unknown_paths_are_counted_as_anonymous_calls(service: Service) -> None:
    async with service.browser() as browser:
        assert await statuses(browser, "/api/no-such-path", 1) == [404]
        assert (await browser.call("BREW", "/api/styles")).status_code == 405
        assert await statuses(browser, "/api/styles", 1) == [200]

        refused = await browser.get("/api/no-such-path")

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert refused.json()["error"]["details"] == {"retry_after": 120}
    assert refused.headers["Retry-After"] == "120"


async def test_an_unknown_path_is_404_when_the_limiter_is_unavailable(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(MemoryRateLimiter, "hit", away)
    async with service.browser() as browser:
        assert await statuses(browser, "/api/no-such-path", 1) == [404]


UNLIMITED = {
    ("GET", "/api/health"),
    ("GET", "/api/health/live"),
    ("GET", "/api/health/ready"),
    ("GET", "/media/{key}"),
    ("PUT", "/media/{key}"),
}
"""Probes, and what only development has."""


def test_every_public_route_has_a_limit(service: Service) -> None:
    ignored = {
        (method, path)
        for path, handler in routes(service.app)
        for method in handler.http_methods
        if operation_of(handler).guard is session_ignored and not operation_of(handler).limit
    }

    assert ignored <= UNLIMITED


@pytest.mark.parametrize("path", ["/api/schema/openapi.json", "/api/search?q=sea", "/api/auth/google/callback"])
async def test_costly_calls_without_a_session_are_limited(service: Service, path: str) -> None:
    async with service.browser() as browser:
        assert (await statuses(browser, path, 4))[-1] == 429


def event(order_id: str) -> dict[str, object]:
    return {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"paymentKey": "made-up", "orderId": order_id}}


async def order_of(service: Service) -> str:
    async with service.browser(await service.world.user("ann")) as buyer:
        started = await buyer.post("/api/tokens/purchase", json={"package_id": "standard_500"})
    return str(started.json()["data"]["order_id"])


async def test_look_ups_of_an_order_are_limited_over_all_addresses(service: Service) -> None:
    order_id = await order_of(service)
    service.world.payments.reachable = False
    webhook, back = "/api/webhooks/toss/payment", f"/api/payments/toss/{order_id}"
    async with service.browser() as here, service.browser(address="192.0.2.7") as there:
        answers = [await here.post(webhook, json=event(order_id)), await there.get(f"{back}/fail")]
        assert [answer.status_code for answer in answers] == [503, 302]

        assert (await there.post(webhook, json=event(order_id))).status_code == 429
        for page in ("fail", "success?paymentKey=made-up&amount=5000"):
            refused = await there.get(f"{back}/{page}")
            assert "error=rate_limit_exceeded" in refused.headers["Location"]
        assert (await here.post(webhook, json=event("another"))).status_code == 200


async def test_look_ups_by_an_address_are_limited_over_all_orders(service: Service) -> None:
    async with service.browser() as browser, service.browser(address="192.0.2.7") as another:
        answers = [
            await browser.post("/api/webhooks/toss/payment", json=event(f"order-{number}")) for number in range(6)
        ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert answers[-1].headers["Retry-After"]
        assert (await another.post("/api/webhooks/toss/payment", json=event("order-1"))).status_code == 200
