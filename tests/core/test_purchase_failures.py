"""Purchases when the provider, the database or the process fails."""

import asyncio

import pytest

from core.ports.payment_provider import PaymentsUnavailable
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import OutcomeUnknown
from core.purchases.check_purchase import CheckPurchase
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.model import CHECK_AGAIN, PurchaseStatus
from core.purchases.record_payment import RecordPayment
from core.purchases.settle_purchase import SettlePurchase
from tests.core.failing import Interrupted, LosesConnection, UnexpectedError, failing
from tests.core.purchases import ALL_TIME, PAID, agreed, settle, status, tokens
from tests.support.memory_world import MemoryWorld


async def test_a_purchase_stays_pending_during_a_provider_outage(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.reachable = False

    with pytest.raises(PaymentsUnavailable):
        await settle(world, order_id, key=key)
    with pytest.raises(PaymentsUnavailable):
        await world.use_case(CheckPurchase)(order_id)

    assert await status(world, ann, order_id) == "pending"
    world.payments.reachable = True
    assert await settle(world, order_id, key=key) is PAID


async def test_a_missing_response_is_looked_up_a_minute_later(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.answers_confirmations = False

    with pytest.raises(PaymentsUnavailable):
        await settle(world, order_id, key=key)
    assert await world.use_case(ExpirePurchases)() == 0

    world.clock.advance(CHECK_AGAIN)
    assert await world.use_case(ExpirePurchases)() == 1

    assert await status(world, ann, order_id) == "paid"
    assert await tokens(world, ann) == 500


@pytest.mark.parametrize("method", ["of_order", "save"])
async def test_a_crash_between_capture_and_commit_is_recovered(world: MemoryWorld, method: str) -> None:
    ann, order_id, key = await agreed(world)
    scope = world.scope()
    crashing = world.use_case(RecordPayment, scope, purchases=failing(scope.purchases, method))

    with pytest.raises(UnexpectedError):
        await world.use_case(SettlePurchase, record=crashing)(order_id, payment_key=key, amount=45_000)

    assert (await status(world, ann, order_id), await tokens(world, ann)) == ("pending", 0)
    assert world.payments.confirmations == 1
    assert await settle(world, order_id, key=key) is PAID
    assert await settle(world, order_id, key=key) is PAID
    assert await tokens(world, ann) == 500
    assert world.payments.confirmations == 1


async def test_a_crash_while_crediting_stores_neither_status_nor_tokens(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    scope = world.scope()
    broken: TokenLedger = failing(scope.ledger, "transfer")
    crashing = world.use_case(RecordPayment, scope, ledger=broken)

    with pytest.raises(UnexpectedError):
        await world.use_case(SettlePurchase, record=crashing)(order_id, payment_key=key, amount=45_000)
    assert (await status(world, ann, order_id), await tokens(world, ann)) == ("pending", 0)

    world.clock.advance(ALL_TIME)
    await world.use_case(ExpirePurchases)()
    assert (await status(world, ann, order_id), await tokens(world, ann)) == ("paid", 500)


async def test_an_unknown_commit_outcome_is_settled_by_a_repeat(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    scope = world.scope()
    record = world.use_case(RecordPayment, scope, transaction=LosesConnection(scope.transaction))

    with pytest.raises(OutcomeUnknown):
        await world.use_case(SettlePurchase, record=record)(order_id, payment_key=key, amount=45_000)

    assert await settle(world, order_id, key=key) is PAID
    assert await tokens(world, ann) == 500


@pytest.mark.parametrize("breaks", ["crediting", "waiting for the provider", "expiring"])
async def test_a_webhook_during_the_confirmation_loses_nothing(world: MemoryWorld, breaks: str) -> None:
    ann, order_id, key = await agreed(world)
    scope = world.scope()
    hints: list[asyncio.Task[PurchaseStatus]] = []

    async def hint() -> None:
        world.payments.reachable = True
        world.payments.charge(order_id)
        hints.append(asyncio.create_task(world.use_case(CheckPurchase)(order_id, payment_key=key)))
        for _ in range(20):
            await asyncio.sleep(0)

    ports = {
        "users": scope.users,
        "purchases": Interrupted(scope.purchases, "save", hint),
        "ledger": scope.ledger,
        "transaction": scope.transaction,
    }
    if breaks == "crediting":
        record = world.use_case(RecordPayment, **ports)
        assert await world.use_case(SettlePurchase, record=record)(order_id, payment_key=key, amount=45_000) is PAID
    elif breaks == "waiting for the provider":
        world.payments.reachable = False
        with pytest.raises(PaymentsUnavailable):
            await world.use_case(SettlePurchase, **ports)(order_id, payment_key=key, amount=45_000)
    else:
        world.clock.advance(ALL_TIME)
        await world.use_case(ExpirePurchases, **ports)()

    assert [await result for result in hints] == [PAID]
    assert (await status(world, ann, order_id), await tokens(world, ann)) == ("paid", 500)


async def test_a_lost_response_does_not_change_a_paid_purchase(world: MemoryWorld) -> None:
    _, order_id, key = await agreed(world)
    world.payments.answers_confirmations = False

    async def hint() -> None:
        world.payments.charge(order_id)
        await world.use_case(CheckPurchase)(order_id)

    settling = world.use_case(SettlePurchase, provider=Interrupted(world.payments, "confirm", hint))
    with pytest.raises(PaymentsUnavailable):
        await settling(order_id, payment_key=key, amount=45_000)

    purchase = world.database.tables.purchases[order_id]
    assert purchase.status is PAID
    assert purchase.check_at == purchase.created_at + ALL_TIME
