"""Purchases expire in time, and never with money that was captured."""

import asyncio
import logging
from datetime import timedelta

import pytest

from core.ports.payment_provider import PaymentsUnavailable
from core.purchases.check_purchase import CheckPurchase
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.model import CHECK_AGAIN, TIME_TO_PAY, TIME_TO_SETTLE
from core.purchases.settle_purchase import SettlePurchase
from core.tokens.model import wallet
from tests.core.failing import Interrupted
from tests.core.purchases import ALL_TIME, EXPIRED, PAID, PENDING, agreed, settle, start, status, tokens, view
from tests.support.memory_world import MemoryWorld


async def test_an_unpaid_purchase_expires_after_its_time(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)

    world.clock.advance(ALL_TIME - timedelta(microseconds=1))
    assert await world.use_case(ExpirePurchases)() == 0
    assert await status(world, ann, order_id) == "pending"

    world.clock.advance(timedelta(microseconds=1))
    assert await world.use_case(ExpirePurchases)() == 1
    found = await view(world, ann, order_id)
    assert (found.status, found.ended_at, found.failure) == ("expired", world.clock.now(), None)
    assert await world.use_case(ExpirePurchases)() == 0


async def test_a_purchase_that_has_ended_does_not_expire_now(world: MemoryWorld) -> None:
    buyer = await world.user("ann")
    order_id = (await start(world, buyer)).order_id
    async with world.block() as ports:
        purchase = await ports.purchases.of_order(order_id)
    ended = purchase.expire_if_due(at=purchase.created_at + ALL_TIME)

    assert ended.expire_now(at=purchase.created_at) == ended


async def test_nothing_is_captured_after_the_expiry(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    world.clock.advance(TIME_TO_PAY)
    assert await settle(world, order_id, key=key) is PENDING
    world.clock.advance(TIME_TO_SETTLE)
    await world.use_case(ExpirePurchases)()
    assert await settle(world, order_id, key=key) is EXPIRED

    assert world.payments.confirmations == 0
    assert await tokens(world, ann) == 0


async def test_money_is_captured_until_the_expiry(world: MemoryWorld) -> None:
    _, order_id, key = await agreed(world)
    world.clock.advance(TIME_TO_PAY - timedelta(microseconds=1))
    assert await settle(world, order_id, key=key) is PAID


async def test_money_captured_before_the_expiry_is_credited_after_it(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.clock.advance(ALL_TIME)
    await world.use_case(ExpirePurchases)()
    world.payments.charge(order_id)

    assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PAID
    assert await settle(world, order_id, key=key) is PAID

    assert await tokens(world, ann) == 500
    assert await world.use_case(ExpirePurchases)() == 0


async def test_a_purchase_that_expires_during_its_capture_is_credited(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    async def expire() -> None:
        world.clock.advance(ALL_TIME)
        await world.use_case(ExpirePurchases)()
        assert await status(world, ann, order_id) == "expired"

    slow = Interrupted(world.payments, "confirm", expire)
    settling = world.use_case(SettlePurchase, provider=slow)

    assert await settling(order_id, payment_key=key, amount=45_000) is PAID
    assert await tokens(world, ann) == 500


async def test_a_payment_with_a_lost_confirmation_is_credited_instead_of_expired(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.charge(order_id)
    world.clock.advance(ALL_TIME)

    assert await world.use_case(ExpirePurchases)() == 1

    assert (await status(world, ann, order_id), await tokens(world, ann)) == ("paid", 500)


async def test_a_payment_ended_by_the_provider_fails_instead_of_expiring(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.give_up(order_id)
    world.clock.advance(ALL_TIME)

    await world.use_case(ExpirePurchases)()

    assert await status(world, ann, order_id) == "failed"


async def test_an_expired_purchase_stays_expired_when_the_provider_ends_it(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.clock.advance(ALL_TIME)
    await world.use_case(ExpirePurchases)()
    world.payments.give_up(order_id)

    assert await world.use_case(CheckPurchase)(order_id) is EXPIRED
    assert (await view(world, ann, order_id)).failure is None


async def test_a_late_confirmation_without_response_gets_its_full_time(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.clock.advance(TIME_TO_PAY - timedelta(seconds=1))
    world.payments.reachable = False
    with pytest.raises(PaymentsUnavailable):
        await settle(world, order_id, key=key)
    world.payments.reachable = True

    world.clock.advance(CHECK_AGAIN)
    assert await world.use_case(ExpirePurchases)() == 1
    assert await status(world, ann, order_id) == "pending"

    world.payments.charge(order_id)
    world.clock.advance(TIME_TO_SETTLE)
    assert await world.use_case(ExpirePurchases)() == 1
    assert await status(world, ann, order_id) == "paid"


async def test_a_response_counts_for_the_time_of_its_request(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.clock.advance(TIME_TO_PAY - timedelta(seconds=1))
    world.payments.reachable = False
    with pytest.raises(PaymentsUnavailable):
        await settle(world, order_id, key=key)
    world.payments.reachable = True
    world.clock.advance(CHECK_AGAIN)

    async def take_long() -> None:
        world.clock.advance(TIME_TO_SETTLE)

    assert await world.use_case(ExpirePurchases, provider=Interrupted(world.payments, "payment_of", take_long))() == 1

    assert await status(world, ann, order_id) == "pending"
    assert await world.use_case(ExpirePurchases)() == 1
    assert await status(world, ann, order_id) == "expired"


async def test_a_purchase_unknown_to_the_provider_expires(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.payments.clear()
    world.clock.advance(ALL_TIME)

    await world.use_case(ExpirePurchases)()

    assert await status(world, ann, order_id) == "expired"


async def test_nothing_expires_during_a_provider_outage(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.reachable = False
    world.clock.advance(ALL_TIME)

    assert await world.use_case(ExpirePurchases)() == 1
    assert await world.use_case(ExpirePurchases)() == 0
    assert await status(world, ann, order_id) == "pending"

    world.payments.reachable = True
    world.clock.advance(CHECK_AGAIN)
    assert await world.use_case(ExpirePurchases)() == 1
    assert await status(world, ann, order_id) == "expired"


async def test_a_purchase_that_cannot_be_settled_stops_no_other(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    stuck_buyer, stuck, _ = await agreed(world)
    world.payments.charge(stuck)
    del world.database.tables.funds[wallet(stuck_buyer.id)]
    bob = await world.user("bob")
    world.clock.advance()
    order_id = (await start(world, bob)).order_id
    world.clock.advance(ALL_TIME)

    for _ in range(2):
        with caplog.at_level(logging.ERROR):
            assert await world.use_case(ExpirePurchases)(limit=1) == 1

    assert stuck in caplog.text
    assert await status(world, stuck_buyer, stuck) == "pending"
    assert await status(world, bob, order_id) == "expired"


async def test_concurrent_passes_expire_each_purchase_once(world: MemoryWorld) -> None:
    buyers = [await world.user(name) for name in ("ann", "bob", "cat")]
    orders = [(await start(world, buyer)).order_id for buyer in buyers]
    world.payments.charge(orders[0])
    world.clock.advance(ALL_TIME)

    await asyncio.gather(*(world.use_case(ExpirePurchases)() for _ in range(4)))

    assert [await status(world, buyer, order) for buyer, order in zip(buyers, orders, strict=True)] == [
        "paid",
        "expired",
        "expired",
    ]
    assert [await tokens(world, buyer) for buyer in buyers] == [500, 0, 0]


async def test_a_pass_respects_its_limit(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    for _ in range(3):
        await start(world, ann)
    world.clock.advance(ALL_TIME)

    assert [await world.use_case(ExpirePurchases)(limit=2) for _ in range(3)] == [2, 1, 0]
