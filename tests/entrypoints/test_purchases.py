"""Purchases over HTTP: packages, orders, and the return from the payment page."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core.identifiers import OrderId
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.model import TIME_TO_PAY, TIME_TO_SETTLE
from tests.entrypoints.buyers import Buyer, parameters
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld


@pytest.fixture
async def buyer(service: Service, world: MemoryWorld) -> AsyncIterator[Buyer]:
    user = await world.user("ann")
    async with service.browser(user) as browser:
        started = (await browser.post("/api/tokens/purchase", json={"package_id": "standard_500"})).json()["data"]
        yield Buyer(user, browser, world, OrderId(started["order_id"]))


# --- packages and purchase --------------------------------------------------------------------------------------------


async def test_packages_are_public(anonymous: Browser) -> None:
    response = await anonymous.get("/api/tokens/packages")
    assert response.json()["data"] == [
        {
            "package_id": package_id,
            "amount_tokens": tokens,
            "total_price": price,
            "price_per_token": each,
            "currency_code": "KRW",
        }
        for package_id, tokens, price, each in (
            ("basic_100", 100, 10_000, 100),
            ("standard_500", 500, 45_000, 90),
            ("premium_1000", 1_000, 80_000, 80),
        )
    ]


async def test_a_purchase_has_a_checkout_url(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        response = await browser.post("/api/tokens/purchase", json={"package_id": "basic_100"})

    assert response.status_code == 201
    started = response.json()["data"]
    assert response.headers["location"] == f"/api/tokens/purchases/{started['order_id']}"
    assert started == {
        "order_id": started["order_id"],
        "payment_url": "https://payments.example/payment-1",
        "package_id": "basic_100",
        "amount_tokens": 100,
        "price_per_token": 100,
        "currency_code": "KRW",
        "total_price": 10_000,
        "expires_at": "2026-01-01T00:15:00Z",
    }


@pytest.mark.parametrize("package_id", ["", "basic_101", "BASIC_100", "1", "-100", "0", "10" * 40])
async def test_an_unknown_package_is_refused(service: Service, world: MemoryWorld, package_id: str) -> None:
    async with service.browser(await world.user()) as browser:
        response = await browser.post("/api/tokens/purchase", json={"package_id": package_id})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_PACKAGE")
    assert not world.database.tables.purchases


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "package_id"),
        ({"package_id": 100}, "package_id"),
        ({"package_id": None}, "package_id"),
        ({"package_id": ["basic_100"]}, "package_id"),
        ({"package_id": "x" * 101}, "package_id"),
        ({"package_id": "basic_100", "total_price": 1}, "total_price"),
        ({"package_id": "basic_100", "amount_tokens": 10**9}, "amount_tokens"),
        ({"package_id": "basic_100", "currency_code": "JPY"}, "currency_code"),
    ],
)
async def test_a_client_sends_only_the_package_id(
    service: Service, world: MemoryWorld, body: dict[str, object], field: str
) -> None:
    async with service.browser(await world.user()) as browser:
        response = await browser.post("/api/tokens/purchase", json=body)
    assert response.status_code == 422
    assert list(response.json()["error"]["details"]) == [field]
    assert not world.database.tables.purchases


async def test_a_provider_outage_prevents_purchases(service: Service, world: MemoryWorld) -> None:
    world.payments.reachable = False
    async with service.browser(await world.user()) as browser:
        response = await browser.post("/api/tokens/purchase", json={"package_id": "basic_100"})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "PAYMENTS_UNAVAILABLE")
    assert not world.database.tables.purchases


async def test_a_purchase_is_visible_to_its_buyer_only(service: Service, world: MemoryWorld, buyer: Buyer) -> None:
    async with service.browser(await world.user("bob")) as bob:
        another = await bob.get(f"/api/tokens/purchases/{buyer.order_id}")
        missing = await bob.get("/api/tokens/purchases/no-such-order")
    assert (another.status_code, another.json()) == (404, missing.json())
    assert another.json()["error"]["code"] == "PURCHASE_NOT_FOUND"


# --- coming back ------------------------------------------------------------------------------------------------------


async def test_the_return_page_settles_the_purchase(buyer: Buyer) -> None:
    assert await buyer.come_back() == {"order_id": buyer.order_id, "status": "paid"}

    assert await buyer.tokens() == 500
    assert await buyer.state() == {
        "order_id": buyer.order_id,
        "status": "paid",
        "package_id": "standard_500",
        "amount_tokens": 500,
        "price_per_token": 90,
        "currency_code": "KRW",
        "total_price": 45_000,
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-01-01T00:15:00Z",
        "ended_at": "2026-01-01T00:00:00Z",
        "failure": None,
        "refunded_price": 0,
        "refunded_tokens": 0,
        "refund": None,
    }
    lines = (await buyer.browser.get("/api/tokens/transactions?type=purchase")).json()["data"]["results"]
    [line] = lines
    assert (line["price_per_token"], line["total_price"], line["currency_code"]) == (90, 45_000, "KRW")
    assert line["related_purchase"] == {"order_id": buyer.order_id}


async def test_a_repeated_return_credits_nothing(world: MemoryWorld, buyer: Buyer) -> None:
    for _ in range(3):
        assert (await buyer.come_back())["status"] == "paid"
    assert (await buyer.tokens(), world.payments.confirmations) == (500, 1)


async def test_the_return_page_needs_no_session(buyer: Buyer, anonymous: Browser) -> None:
    query = {"paymentKey": buyer.key, "orderId": buyer.order_id, "amount": "45000"}
    response = await anonymous.get(f"/api/payments/toss/{buyer.order_id}/success", params=query)
    assert parameters(response)["status"] == "paid"
    assert await buyer.tokens() == 500


@pytest.mark.parametrize(
    "forged",
    [
        {"amount": "44999"},
        {"amount": "1"},
        {"amount": "0"},
        {"amount": "-45000"},
        {"amount": "45000.0"},
        {"amount": "45000.00000001"},
        {"amount": "4.5e4"},
        {"amount": "٤٥٠٠٠"},
        {"amount": "9" * 30},
        {"amount": ""},
        {"amount": "KRW"},
        {"paymentKey": ""},
        {"paymentKey": "made-up"},
        {"paymentKey": "x" * 201},
    ],
)
async def test_forged_calls_change_nothing(buyer: Buyer, forged: dict[str, str]) -> None:
    assert await buyer.come_back(**forged) == {"order_id": buyer.order_id, "error": "payment_mismatch"}

    assert await buyer.tokens() == 0
    assert (await buyer.state())["status"] == "pending"
    assert (await buyer.come_back())["status"] == "paid"


@pytest.mark.parametrize("forged", [{"amount": "1"}, {"paymentKey": ""}, {"paymentKey": "x" * 201}])
async def test_malformed_returns_do_not_call_toss(world: MemoryWorld, buyer: Buyer, forged: dict[str, str]) -> None:
    world.payments.reachable = False
    assert (await buyer.come_back(**forged))["error"] == "payment_mismatch"


async def test_a_payment_of_another_order_credits_nothing(service: Service, world: MemoryWorld, buyer: Buyer) -> None:
    await buyer.come_back()
    bob = await world.user("bob")
    async with service.browser(bob) as browser:
        started = (await browser.post("/api/tokens/purchase", json={"package_id": "standard_500"})).json()["data"]
        another = Buyer(bob, browser, world, OrderId(started["order_id"]))
        assert (await another.come_back(paymentKey=buyer.key))["error"] == "payment_mismatch"
        assert await another.tokens() == 0


@pytest.mark.parametrize("how", ["success", "fail"])
async def test_an_unknown_order_is_not_found(anonymous: Browser, how: str) -> None:
    query = {"paymentKey": "key", "amount": "45000", "code": "PAY_PROCESS_CANCELED"}
    response = await anonymous.get(f"/api/payments/toss/no-such-order/{how}", params=query)
    assert parameters(response) == {"order_id": "no-such-order", "error": "purchase_not_found"}


@pytest.mark.parametrize("order_id", ["x&status=paid", "x%0D%0ASet-Cookie:a=b", "%2F%2Fevil.example", "한글"])
async def test_path_parameters_are_single_values(anonymous: Browser, order_id: str) -> None:
    response = await anonymous.get(f"/api/payments/toss/{order_id}/fail")
    if response.status_code == 302:
        assert set(parameters(response)) == {"order_id", "error"}
    else:
        assert response.status_code == 404


async def test_an_outage_keeps_the_purchase_pending_and_is_reported(world: MemoryWorld, buyer: Buyer) -> None:
    world.payments.reachable = False
    assert await buyer.come_back() == {
        "order_id": buyer.order_id,
        "status": "pending",
        "error": "payments_unavailable",
    }
    assert (await buyer.state())["status"] == "pending"

    world.payments.reachable = True
    assert (await buyer.come_back())["status"] == "paid"


async def test_a_declined_card_is_reported(world: MemoryWorld, buyer: Buyer) -> None:
    world.payments.refuse(buyer.order_id)
    assert (await buyer.come_back())["status"] == "failed"
    assert (await buyer.state())["failure"] == {"code": "REJECT_CARD_PAYMENT", "message": "The card was refused."}
    assert await buyer.tokens() == 0


async def test_a_cancelled_payment_is_reported(world: MemoryWorld, buyer: Buyer) -> None:
    world.payments.give_up(buyer.order_id)
    assert await buyer.come_back("fail", code="PAY_PROCESS_CANCELED", message="...") == {
        "order_id": buyer.order_id,
        "status": "failed",
        "error": "pay_process_canceled",
    }


@pytest.mark.parametrize("code", ["", "<script>", "PAY_PROCESS_CANCELED&x=y", "A" * 101])
async def test_a_forged_failure_changes_nothing(buyer: Buyer, code: str) -> None:
    assert await buyer.come_back("fail", code=code) == {"order_id": buyer.order_id, "status": "pending"}
    assert (await buyer.come_back())["status"] == "paid"


async def test_a_late_return_captures_nothing(world: MemoryWorld, buyer: Buyer) -> None:
    world.clock.advance(TIME_TO_PAY + TIME_TO_SETTLE)
    await world.use_case(ExpirePurchases)()

    assert (await buyer.come_back())["status"] == "expired"
    assert (await buyer.tokens(), world.payments.confirmations) == (0, 0)


# --- refunds ----------------------------------------------------------------------------------------------------------


async def test_a_buyer_requests_a_refund(buyer: Buyer) -> None:
    await buyer.come_back()
    before = await buyer.state()

    response = await buyer.browser.post(f"/api/tokens/purchases/{buyer.order_id}/refund")

    assert response.status_code == 202
    refund = {
        "status": "pending",
        "tokens": 500,
        "price": 45_000,
        "reason": "Requested by the buyer",
        "failure": None,
    }
    assert response.json()["data"] == before | {"status": "refunding", "refund": refund} == await buyer.state()
    assert await buyer.tokens() == 0

    await buyer.world.use_case(CarryOutRefunds)()
    assert await buyer.state() == before | {
        "status": "refunded",
        "refunded_price": 45_000,
        "refunded_tokens": 500,
        "refund": refund | {"status": "completed"},
    }
    [notice] = (await buyer.browser.get("/api/notifications")).json()["data"]["results"]
    assert (notice["type"], notice["target_type"], notice["target_id"]) == ("purchase_refunded", "purchase", None)
    assert notice["metadata"]["order_id"] == buyer.order_id


async def test_a_buyer_sees_why_a_refund_was_refused(buyer: Buyer) -> None:
    await buyer.come_back()
    buyer.world.payments.refuse_to_refund(buyer.order_id)
    await buyer.browser.post(f"/api/tokens/purchases/{buyer.order_id}/refund")

    await buyer.world.use_case(CarryOutRefunds)()

    found = await buyer.state()
    assert (found["status"], found["refund"]["status"]) == ("paid", "refused")
    assert found["refund"]["failure"] == {"code": "NOT_CANCELABLE_AMOUNT", "message": "This cannot be given back."}
    assert await buyer.tokens() == 500


async def test_a_refused_refund_has_a_reason(buyer: Buyer) -> None:
    async def refused() -> tuple[int, str, object]:
        response = await buyer.browser.post(f"/api/tokens/purchases/{buyer.order_id}/refund")
        error = response.json()["error"]
        return response.status_code, error["code"], error["details"]

    assert await refused() == (409, "NOT_REFUNDABLE", {"reason": "not_paid"})
    await buyer.come_back()
    await buyer.world.image(buyer.user, await buyer.world.style(await buyer.world.artist("mia")))
    assert await refused() == (409, "NOT_REFUNDABLE", {"reason": "spent"})
    buyer.world.clock.advance(timedelta(days=7))
    assert await refused() == (409, "NOT_REFUNDABLE", {"reason": "too_late"})


async def test_a_refund_with_an_idempotency_key_is_requested_once(buyer: Buyer) -> None:
    await buyer.come_back()
    key = {"Idempotency-Key": "a refund"}
    first, again = [
        await buyer.browser.post(f"/api/tokens/purchases/{buyer.order_id}/refund", headers=key) for _ in range(2)
    ]
    assert (first.status_code, first.json()["data"]) == (again.status_code, again.json()["data"])
    assert first.status_code == 202
