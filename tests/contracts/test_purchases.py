import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from core.accounts.model import User
from core.identifiers import OrderId
from core.paging import PageRequest
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import PaymentMismatch, PurchaseNotFound
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.model import TIME_TO_PAY, TIME_TO_SETTLE, Purchase, PurchaseStatus, new_purchase
from core.purchases.packages import package_of
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.purchases.record_payment import RecordPayment
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.purchases.views import PurchaseView
from core.tokens.views import RelatedPurchase, TransactionFilter
from tests.contracts.overlap import Block, Work, commit, race
from tests.support.scope import Scope
from tests.support.world import Funds, World

ALL_TIME = TIME_TO_PAY + TIME_TO_SETTLE
CLIENTS = 32


async def a_purchase(world: World, buyer: User, name: str = "") -> Purchase:
    order_id = OrderId(name or f"order-{world.ids.task()}")
    purchase = new_purchase(order_id, buyer.id, package_of("standard_500"), at=world.clock.now())
    await commit(world, lambda ports: ports.purchases.add(purchase))
    return purchase


def taken(purchase: Purchase, *, key: str = "key", amount: int = 45_000) -> Payment:
    return Payment(key, purchase.order_id, PaymentState.CAPTURED, Decimal(amount), "KRW")


async def stored(world: World, purchase: Purchase) -> Purchase:
    return await commit(world, lambda ports: ports.purchases.of_order(purchase.order_id))


async def pay(world: World, purchase: Purchase, *, key: str = "key") -> PurchaseStatus:
    return await world.use_case(RecordPayment)(purchase.order_id, taken(purchase, key=key))


# --- keeping ----------------------------------------------------------------------------------------------------------


async def test_an_added_purchase_is_returned_unchanged(world: World) -> None:
    purchase = await a_purchase(world, await world.user())
    assert await stored(world, purchase) == purchase


async def test_every_final_status_is_stored(world: World) -> None:
    ann = await world.user()
    at = world.clock.now() + ALL_TIME
    paid, failed, expired = [await a_purchase(world, ann) for _ in range(3)]
    refusal = PaymentFailure("REJECT_CARD_PAYMENT", "카드가 거절되었습니다.")
    refused = Payment("refused", failed.order_id, PaymentState.CANCELLED, Decimal(45_000), "KRW", refusal)
    failed, expired = failed.apply(refused, at=at), expired.expire_if_due(at=at)
    paid = paid.apply(taken(paid), at=at)

    async def end(ports: Scope) -> None:
        await ports.purchases.save(failed)
        await ports.purchases.save(expired)
        await ports.purchases.save(paid)
        await ports.ledger.transfer(paid.credit())

    await commit(world, end)

    assert [await stored(world, purchase) for purchase in (paid, failed, expired)] == [paid, failed, expired]
    assert [purchase.status.value for purchase in (paid, failed, expired)] == ["paid", "failed", "expired"]


async def test_an_unknown_id_is_not_found(world: World) -> None:
    nowhere = OrderId("no-such-order")

    with pytest.raises(PurchaseNotFound):
        await commit(world, lambda ports: ports.purchases.of_order(nowhere))
    with pytest.raises(PurchaseNotFound):
        await commit(world, lambda ports: ports.purchases.of_order(nowhere, lock=True))


async def test_saving_an_unknown_purchase_is_refused(world: World) -> None:
    ann = await world.user()
    purchase = new_purchase(OrderId("never-added"), ann.id, package_of("basic_100"), at=world.clock.now())

    with pytest.raises(PurchaseNotFound):
        await commit(world, lambda ports: ports.purchases.save(purchase))

    with pytest.raises(PurchaseNotFound):
        await stored(world, purchase)


async def test_one_of_two_concurrent_purchases_of_a_payment_is_refused(world: World, sent: bool) -> None:
    ann = await world.user()
    one, other = [await a_purchase(world, ann) for _ in range(2)]

    def ending(purchase: Purchase) -> Work:
        refused = Payment("key", purchase.order_id, PaymentState.CANCELLED, Decimal(45_000), "KRW", None)
        ended = purchase.apply(refused, at=world.clock.now())
        return lambda ports: ports.purchases.save(ended)

    ended = await race(world, ending(one), ending(other), sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, PaymentMismatch)
    states = [(await stored(world, purchase)).status for purchase in (one, other)]
    assert states == [PurchaseStatus.FAILED, PurchaseStatus.PENDING]


async def test_a_payment_ends_one_purchase_only(world: World) -> None:
    ann = await world.user()
    first, second = await a_purchase(world, ann), await a_purchase(world, ann)
    await pay(world, first)

    with pytest.raises(PaymentMismatch):
        await pay(world, second)

    assert (await stored(world, second)).status is PurchaseStatus.PENDING
    assert (await world.funds(ann.id)).token_balance == 500
    assert await pay(world, second, key="another") is PurchaseStatus.PAID


async def test_locking_a_purchase_waits_for_its_lock(world: World) -> None:
    purchase = await a_purchase(world, await world.user())

    async def lock(ports: Scope) -> PurchaseStatus:
        return (await ports.purchases.of_order(purchase.order_id, lock=True)).status

    async def end(ports: Scope) -> None:
        await lock(ports)
        await ports.purchases.save(purchase.expire_if_due(at=world.clock.now() + ALL_TIME))

    first = await Block(world, end).open()
    second = await Block(world, lock).waits()
    await first.commit()
    second_worked = await second.open()
    assert await second_worked.commit() is PurchaseStatus.EXPIRED


# --- what is to be checked --------------------------------------------------------------------------------------------


async def test_purchases_to_check_are_listed_when_due_oldest_first(world: World) -> None:
    ann = await world.user()
    purchases = []
    for name in ("order-c", "order-a", "order-b"):
        purchases.append(await a_purchase(world, ann, name))
        world.clock.advance()
    ended = await a_purchase(world, ann)
    await pay(world, ended)
    first, second, third = (purchase.order_id for purchase in purchases)

    async def due(limit: int = 10) -> list[OrderId]:
        return await commit(world, lambda ports: ports.purchases.to_check(now=world.clock.now(), limit=limit))

    assert await due() == []
    world.clock.advance(purchases[0].check_at - world.clock.now())
    assert await due() == [first]
    world.clock.advance(timedelta(minutes=10))
    assert await due() == [first, second, third]
    assert await due(limit=2) == [first, second]

    postponed = purchases[0].check_later(at=world.clock.now())
    await commit(world, lambda ports: ports.purchases.save(postponed))
    assert await due() == [second, third]
    assert (await stored(world, purchases[0])).check_at == postponed.check_at


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_a_buyer_sees_a_purchase_from_start_to_end(world: World) -> None:
    ann = await world.user("ann")
    purchase = await a_purchase(world, ann)
    pending = PurchaseView(
        order_id=purchase.order_id,
        status="pending",
        package_id="standard_500",
        amount_tokens=500,
        price_per_token=90,
        currency_code="KRW",
        total_price=45_000,
        created_at=purchase.created_at,
        expires_at=purchase.expires_at,
        ended_at=None,
        failure=None,
        refunded_price=0,
        refunded_tokens=0,
        refund=None,
    )
    assert await world.read.purchases.of_owner(ann.id, purchase.order_id) == pending

    world.clock.advance()
    await world.use_case(RecordPayment)(purchase.order_id, taken(purchase, amount=1))
    mismatch = PaymentFailure("PAYMENT_MISMATCH", "1 KRW is not the price.")
    assert await world.read.purchases.of_owner(ann.id, purchase.order_id) == msgspec.structs.replace(
        pending, status="failed", failure=mismatch, ended_at=world.clock.now()
    )

    world.clock.advance()
    await pay(world, purchase)
    assert await world.read.purchases.of_owner(ann.id, purchase.order_id) == msgspec.structs.replace(
        pending, status="paid", ended_at=world.clock.now()
    )


async def test_a_purchase_is_invisible_to_others(world: World) -> None:
    purchase = await a_purchase(world, await world.user("ann"))
    bob = await world.user("bob")

    for order_id in (purchase.order_id, OrderId("no-such-order")):
        with pytest.raises(PurchaseNotFound):
            await world.read.purchases.of_owner(bob.id, order_id)


async def test_a_purchase_is_listed_with_its_price(world: World) -> None:
    ann = await world.user("ann", tokens=7)
    purchase = await a_purchase(world, ann)
    world.clock.advance()
    await pay(world, purchase)

    [line] = (await world.read.tokens.transactions(ann.id, type=TransactionFilter.PURCHASE, page=PageRequest())).rows
    assert (line.type, line.direction, line.amount, line.status, line.refunded) == (
        "purchase",
        "in",
        500,
        "completed",
        False,
    )
    assert (line.price_per_token, line.total_price, line.currency_code) == (90, 45_000, "KRW")
    assert line.related_purchase == RelatedPurchase(purchase.order_id)
    assert (line.sender, line.created_at) == (None, world.clock.now())
    _, gift = (await world.read.tokens.transactions(ann.id, type=TransactionFilter.ALL, page=PageRequest())).rows
    assert (gift.price_per_token, gift.total_price, gift.currency_code, gift.related_purchase) == (None,) * 4


# --- at once ----------------------------------------------------------------------------------------------------------


async def test_one_of_concurrent_settlements_credits(world: World) -> None:
    ann = await world.user("ann")
    order_id = (await world.use_case(StartPurchase)(ann.id, "standard_500")).order_id
    key = world.payments.agree(order_id)

    results = await asyncio.gather(
        *(
            world.use_case(SettlePurchase)(order_id, payment_key=key, amount=45_000)
            if client % 2
            else world.use_case(CheckPurchase)(order_id, payment_key=key)
            for client in range(CLIENTS)
        )
    )

    assert set(results) <= {PurchaseStatus.PAID, PurchaseStatus.PENDING}
    assert all(results[client] is PurchaseStatus.PAID for client in range(1, CLIENTS, 2))
    assert await world.funds(ann.id) == Funds(ann.id, 500, 0, None)
    lines = (await world.read.tokens.transactions(ann.id, type=TransactionFilter.ALL, page=PageRequest())).rows
    assert [line.amount for line in lines] == [500]


async def test_one_of_concurrent_payment_records_credits(world: World) -> None:
    ann = await world.user("ann")
    purchase = await a_purchase(world, ann)

    assert await asyncio.gather(*(pay(world, purchase) for _ in range(CLIENTS))) == [PurchaseStatus.PAID] * CLIENTS

    assert await world.funds(ann.id) == Funds(ann.id, 500, 0, None)


async def test_a_capture_wins_over_expiry_in_any_order(world: World) -> None:
    ann = await world.user("ann")
    purchases = [await a_purchase(world, ann) for _ in range(8)]
    world.clock.advance(ALL_TIME)

    await asyncio.gather(
        *(world.use_case(ExpirePurchases)() for _ in range(4)),
        *(pay(world, purchase, key=purchase.order_id) for purchase in purchases),
        *(world.use_case(ExpirePurchases)() for _ in range(4)),
    )

    assert {(await stored(world, purchase)).status for purchase in purchases} == {PurchaseStatus.PAID}
    assert (await world.funds(ann.id)).token_balance == 8 * 500


async def test_concurrent_purchases_of_many_buyers_are_paid(world: World) -> None:
    buyers = [await world.user(f"buyer-{number}") for number in range(8)]
    purchases = [await a_purchase(world, buyer) for buyer in buyers for _ in range(4)]

    await asyncio.gather(*(pay(world, purchase, key=purchase.order_id) for purchase in purchases for _ in range(2)))

    balances = [(await world.funds(buyer.id)).token_balance for buyer in buyers]
    assert balances == [2_000] * len(buyers)
