"""Toss's webhook."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from core.identifiers import OrderId
from core.purchases.expire_purchases import ExpirePurchases
from tests.entrypoints.buyers import Buyer
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld

WEBHOOK = "/api/webhooks/toss/payment"


@pytest.fixture
async def buyer(service: Service, world: MemoryWorld) -> AsyncIterator[Buyer]:
    user = await world.user("ann")
    async with service.browser(user) as browser:
        started = (await browser.post("/api/tokens/purchase", json={"package_id": "standard_500"})).json()["data"]
        yield Buyer(user, browser, world, OrderId(started["order_id"]))


def event(order_id: str, key: str, **changes: object) -> dict[str, Any]:
    """What Toss sends; the payment in it is not looked at beyond its names."""
    payment = {"mId": "tosspayments", "paymentKey": key, "orderId": order_id, "status": "DONE", "totalAmount": 1}
    return {"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-01-02T14:46:59.65327", "data": payment, **changes}


async def test_a_webhook_before_the_return_credits_once(world: MemoryWorld, buyer: Buyer, anonymous: Browser) -> None:
    world.payments.charge(buyer.order_id)

    for _ in range(2):
        response = await anonymous.post(WEBHOOK, json=event(buyer.order_id, buyer.key))
        assert (response.status_code, response.json()) == (200, {"success": True, "data": None})
    assert (await buyer.come_back())["status"] == "paid"

    assert await buyer.tokens() == 500


async def test_a_webhook_alone_credits_nothing(world: MemoryWorld, buyer: Buyer, anonymous: Browser) -> None:
    response = await anonymous.post(WEBHOOK, json=event(buyer.order_id, buyer.key))

    assert response.status_code == 200
    assert (await buyer.tokens(), world.payments.confirmations) == (0, 0)
    assert (await buyer.state())["status"] == "pending"


async def test_a_webhook_does_not_reveal_orders(buyer: Buyer, anonymous: Browser) -> None:
    answers = [
        (await anonymous.post(WEBHOOK, json=event(order_id, key))).json()
        for order_id, key in ((buyer.order_id, buyer.key), (buyer.order_id, "made-up"), ("no-such-order", "made-up"))
    ]
    assert answers == [{"success": True, "data": None}] * 3


async def test_a_webhook_with_mixed_orders_credits_nothing(
    service: Service, world: MemoryWorld, buyer: Buyer, anonymous: Browser
) -> None:
    async with service.browser(await world.user("bob")) as bob:
        other = (await bob.post("/api/tokens/purchase", json={"package_id": "standard_500"})).json()["data"]
        world.payments.charge(OrderId(other["order_id"]))
        key = world.payments.agree(OrderId(other["order_id"]))

        response = await anonymous.post(WEBHOOK, json=event(buyer.order_id, key))

        assert response.status_code == 200
        assert (await bob.get("/api/tokens/balance")).json()["data"]["token_balance"] == 0
    assert await buyer.tokens() == 0


async def test_an_unknown_order_does_not_call_toss(world: MemoryWorld, anonymous: Browser) -> None:
    world.payments.reachable = False
    for order_id in ("no-such-order", "order\0", "order\udce9"):
        content = json.dumps(event(order_id, "made-up"))
        assert (await anonymous.post(WEBHOOK, content=content)).status_code == 200


async def test_an_outage_makes_toss_repeat_the_webhook(world: MemoryWorld, buyer: Buyer, anonymous: Browser) -> None:
    world.payments.charge(buyer.order_id)
    world.payments.reachable = False
    response = await anonymous.post(WEBHOOK, json=event(buyer.order_id, buyer.key))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "PAYMENTS_UNAVAILABLE")

    world.payments.reachable = True
    assert (await anonymous.post(WEBHOOK, json=event(buyer.order_id, buyer.key))).status_code == 200
    assert await buyer.tokens() == 500


@pytest.mark.parametrize(
    "other",
    [
        {"eventType": "CUSTOMER_STATUS_CHANGED", "data": {"customerKey": "c", "status": "CREATED"}},
        {"eventType": "BILLING_DELETED"},
        {"eventType": "SOMETHING_NEW", "createdAt": "2026-01-02T14:46:59", "data": {}},
    ],
)
async def test_unrelated_events_are_accepted(anonymous: Browser, other: dict[str, Any]) -> None:
    assert (await anonymous.post(WEBHOOK, json=other)).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"eventType": 1},
        {"eventType": "PAYMENT_STATUS_CHANGED"},
        event("", "key"),
        event("order", ""),
        event("o" * 65, "key"),
        event("order", "k" * 201),
        {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"paymentKey": 1, "orderId": "order"}},
        {"eventType": "PAYMENT_STATUS_CHANGED", "data": []},
        {"createdAt": "2022-01-01T00:00:00", "secret": "s", "orderId": "o", "status": "DONE", "transactionKey": "t"},
        [],
        "PAYMENT_STATUS_CHANGED",
        None,
        {"eventType": "PAYMENT_STATUS_CHANGED" * 1_000, "data": {"more": "x" * 30_000}},
    ],
    ids=lambda body: str(body)[:60],
)
async def test_a_webhook_of_another_shape_is_ignored_and_logged(
    anonymous: Browser, caplog: pytest.LogCaptureFixture, other: Any
) -> None:
    """DEPOSIT_CALLBACK, for one, has no `eventType`. What is refused comes again for days."""
    caplog.set_level(logging.INFO, logger="entrypoints.http.routes.toss")
    response = await anonymous.post(WEBHOOK, json=other)
    assert (response.status_code, response.json()) == (200, {"success": True, "data": None})
    [message] = [record.getMessage() for record in caplog.records if record.name == "entrypoints.http.routes.toss"]
    assert message.startswith("Toss event is ignored")
    assert len(message) < 1000


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"null", b"a=b&c=d", b"[" * 60_000, b'{"eventType": NaN}'])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", None])
async def test_a_webhook_that_is_not_json_is_ignored_and_logged(
    anonymous: Browser, caplog: pytest.LogCaptureFixture, content: bytes, content_type: str | None
) -> None:
    caplog.set_level(logging.INFO, logger="entrypoints.http.routes.toss")
    headers = {"Content-Type": content_type} if content_type else {}
    response = await anonymous.post(WEBHOOK, content=content, headers=headers)
    assert (response.status_code, response.json()) == (200, {"success": True, "data": None})
    assert len([record for record in caplog.records if record.name == "entrypoints.http.routes.toss"]) == 1


async def test_a_late_webhook_is_applied(world: MemoryWorld, buyer: Buyer, anonymous: Browser) -> None:
    world.clock.advance(timedelta(days=4))
    await world.use_case(ExpirePurchases)()
    assert (await buyer.state())["status"] == "expired"
    world.payments.charge(buyer.order_id)

    await anonymous.post(WEBHOOK, json=event(buyer.order_id, buyer.key))

    assert (await buyer.state())["status"] == "paid"
    assert await buyer.tokens() == 500
