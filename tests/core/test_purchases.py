"""Buying tokens: captured money is credited exactly once, and nothing is credited without it."""

import asyncio
import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from core.errors import Category
from core.identifiers import OrderId
from core.paging import PageRequest
from core.ports.payment_provider import PaymentsUnavailable
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import InvalidPackage, PaymentMismatch, PurchaseNotFound
from core.purchases.model import PurchaseStatus
from core.purchases.packages import PACKAGES
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.purchases.record_payment import RecordPayment
from core.purchases.views import StartedPurchase
from core.tokens.views import RelatedPurchase, TransactionFilter
from tests.core.purchases import FAILED, PAID, PENDING, agreed, settle, start, status, tokens, view
from tests.support.memory_world import MemoryWorld

# --- starting ---------------------------------------------------------------------------------------------------------


def test_the_price_per_token_follows_from_the_package() -> None:
    assert [package.amount_tokens * package.price_per_token for package in PACKAGES] == [10_000, 45_000, 80_000]
    assert all(package.total_price == package.amount_tokens * package.price_per_token for package in PACKAGES)
    assert len({package.package_id for package in PACKAGES}) == len(PACKAGES)


async def test_a_purchase_has_the_terms_of_its_package(world: MemoryWorld) -> None:
    ann = await world.user("ann")

    started = await start(world, ann)

    assert started == StartedPurchase(
        order_id=started.order_id,
        payment_url="https://payments.example/payment-1",
        package_id="standard_500",
        amount_tokens=500,
        price_per_token=90,
        currency_code="KRW",
        total_price=45_000,
        expires_at=world.clock.now() + timedelta(minutes=15),
    )
    assert (await view(world, ann, started.order_id)).status == "pending"
    assert world.payments.payments["payment-1"].amount == 45_000
    assert await tokens(world, ann) == 0


async def test_each_purchase_has_its_own_order(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    assert (await start(world, ann)).order_id != (await start(world, ann)).order_id


@pytest.mark.parametrize("package_id", ["", "basic_101", "BASIC_100", "basic_100 ", "-1", "0", "1e9", "basic_100\0"])
async def test_an_unknown_package_is_refused(world: MemoryWorld, package_id: str) -> None:
    ann = await world.user("ann")

    with pytest.raises(InvalidPackage) as refused:
        await start(world, ann, package_id)

    assert refused.value.category is Category.MALFORMED
    assert not world.payments.payments
    assert not world.database.tables.purchases


async def test_nothing_is_stored_during_a_provider_outage(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    world.payments.reachable = False

    with pytest.raises(PaymentsUnavailable):
        await start(world, ann)

    assert not world.database.tables.purchases


async def test_a_purchase_is_invisible_to_others(world: MemoryWorld) -> None:
    _, order_id, _ = await agreed(world)

    with pytest.raises(PurchaseNotFound):
        await view(world, await world.user("bob"), order_id)


# --- paying -----------------------------------------------------------------------------------------------------------


async def test_a_paid_purchase_is_credited_and_listed_with_its_price(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.clock.advance()

    assert await settle(world, order_id, key=key) is PAID

    assert await tokens(world, ann) == 500
    found = await view(world, ann, order_id)
    assert (found.status, found.ended_at, found.failure) == ("paid", world.clock.now(), None)
    [line] = (await world.read.tokens.transactions(ann.id, type=TransactionFilter.PURCHASE, page=PageRequest())).rows
    assert (line.type, line.direction, line.amount, line.status) == ("purchase", "in", 500, "completed")
    assert (line.price_per_token, line.total_price, line.currency_code) == (90, 45_000, "KRW")
    assert line.related_purchase == RelatedPurchase(order_id)
    assert line.sender is None
    assert line.created_at == world.clock.now()


async def test_confirming_again_credits_nothing(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    assert [await settle(world, order_id, key=key) for _ in range(3)] == [PAID] * 3

    assert await tokens(world, ann) == 500
    assert world.payments.confirmations == 1


async def test_a_paid_purchase_does_not_call_the_provider(world: MemoryWorld) -> None:
    _, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)
    world.payments.reachable = False

    assert await settle(world, order_id, key="another", amount=1) is PAID
    assert await world.use_case(CheckPurchase)(order_id) is PAID


async def test_a_webhook_before_the_return_credits_once(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.charge(order_id)

    assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PAID
    assert await settle(world, order_id, key=key) is PAID

    assert await tokens(world, ann) == 500


async def test_a_webhook_without_money_credits_nothing(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PENDING
    assert await world.use_case(CheckPurchase)(order_id, payment_key="made up") is PENDING
    assert await world.use_case(CheckPurchase)(order_id) is PENDING

    assert await tokens(world, ann) == 0
    assert world.payments.confirmations == 0


async def test_one_of_concurrent_payment_reports_credits(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    result = await asyncio.gather(
        *(settle(world, order_id, key=key) for _ in range(16)),
        *(world.use_case(CheckPurchase)(order_id, payment_key=key) for _ in range(16)),
    )

    assert PAID in result
    assert await tokens(world, ann) == 500
    assert await status(world, ann, order_id) == "paid"


async def test_an_unknown_order_is_not_found(world: MemoryWorld) -> None:
    _, _, key = await agreed(world)

    with pytest.raises(PurchaseNotFound):
        await settle(world, OrderId("no-such-order"), key=key)
    with pytest.raises(PurchaseNotFound):
        await world.use_case(CheckPurchase)(OrderId("no-such-order"), payment_key=key)


# --- what does not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, -45_000, 1, 44_999, 45_001, 10**18])
async def test_a_forged_amount_is_refused_before_the_provider_is_called(world: MemoryWorld, amount: int) -> None:
    ann, order_id, key = await agreed(world)

    with pytest.raises(PaymentMismatch):
        await settle(world, order_id, key=key, amount=amount)

    assert world.payments.confirmations == 0
    assert await status(world, ann, order_id) == "pending"
    assert await settle(world, order_id, key=key) is PAID


@pytest.mark.parametrize(
    ("amount", "currency_code"),
    [(44_999, "KRW"), (45_001, "KRW"), (Decimal("45000.5"), "KRW"), (0, "KRW"), (45_000, "USD"), (45_000, "krw")],
)
async def test_a_wrong_amount_or_currency_credits_nothing_and_is_logged(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture, amount: Decimal | int, currency_code: str
) -> None:
    ann, order_id, _ = await agreed(world)
    key = world.payments.charge(order_id, amount=amount, currency_code=currency_code)

    for _ in range(3):
        with caplog.at_level(logging.ERROR):
            assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is FAILED
        world.clock.advance()

    assert await tokens(world, ann) == 0
    found = await view(world, ann, order_id)
    assert found.ended_at == found.created_at
    assert found.failure == PaymentFailure("PAYMENT_MISMATCH", f"{amount} {currency_code} is not the price.")
    [record] = caplog.records
    assert key in record.getMessage()
    assert order_id in record.getMessage()


async def test_a_corrected_payment_is_credited(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.charge(order_id, amount=44_999)
    await world.use_case(CheckPurchase)(order_id)
    world.payments.charge(order_id, amount=45_000)

    assert await world.use_case(CheckPurchase)(order_id) is PAID
    assert await tokens(world, ann) == 500


async def test_a_payment_of_another_order_credits_nothing(world: MemoryWorld) -> None:
    ann, paid_order, key = await agreed(world)
    await settle(world, paid_order, key=key)
    bob = await world.user("bob")
    order_id = (await start(world, bob)).order_id

    for asking in (
        settle(world, order_id, key=key),
        settle(world, order_id, key="made up"),
        world.use_case(CheckPurchase)(order_id, payment_key=key),
    ):
        with pytest.raises(PaymentMismatch):
            await asking

    assert (await tokens(world, ann), await tokens(world, bob)) == (500, 0)
    assert await status(world, bob, order_id) == "pending"
    assert await settle(world, order_id, key=world.payments.agree(order_id)) is PAID


async def test_a_payment_of_another_order_is_left_for_it(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    other_order_id = (await start(world, ann)).order_id
    key = world.payments.charge(other_order_id)

    with pytest.raises(PaymentMismatch):
        await world.use_case(CheckPurchase)(order_id, payment_key=key)

    assert await world.use_case(CheckPurchase)(other_order_id) is PAID
    assert await status(world, ann, order_id) == "pending"
    assert await tokens(world, ann) == 500


async def test_an_order_paid_twice_is_credited_once_and_logged(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    ann, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)
    second = Payment("second", order_id, PaymentState.CAPTURED, Decimal(45_000), "KRW")

    with caplog.at_level(logging.ERROR):
        assert await world.use_case(RecordPayment)(order_id, second) is PAID

    assert await tokens(world, ann) == 500
    [record] = caplog.records
    assert "paid twice" in record.getMessage()


@pytest.mark.parametrize(("left", "tokens_taken"), [(0, 500), (30_000, 167), (44_999, 1)])
async def test_a_cancelled_payment_takes_its_tokens_back_and_is_logged(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture, left: int, tokens_taken: int
) -> None:
    buyer, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)
    world.payments.refund(order_id, left=left)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            status = await world.use_case(CheckPurchase)(order_id, payment_key=key)
            assert status is (PAID if left else PurchaseStatus.REFUNDED)

    [record] = caplog.records
    assert f"left={left} of=45000 currency=KRW tokens_taken={tokens_taken}" in record.getMessage()
    found = await view(world, buyer, order_id)
    assert (found.refunded_price, found.refunded_tokens) == (45_000 - left, tokens_taken)
    assert await tokens(world, buyer) == 500 - tokens_taken


async def test_a_tiny_cancellation_takes_at_most_one_token(world: MemoryWorld) -> None:
    buyer, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)

    for left in (44_999, 44_998, 44_911, 44_910, 44_909):
        world.payments.refund(order_id, left=left)
        await world.use_case(CheckPurchase)(order_id, payment_key=key)

    assert await tokens(world, buyer) == 498


async def test_a_report_of_a_captured_payment_logs_no_error(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    _, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)

    with caplog.at_level(logging.WARNING):
        assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PAID

    assert not caplog.records


async def test_a_declined_card_fails_the_purchase_with_a_reason(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.refuse(order_id)

    assert [await settle(world, order_id, key=key) for _ in range(2)] == [FAILED] * 2

    assert await tokens(world, ann) == 0
    found = await view(world, ann, order_id)
    assert found.failure == PaymentFailure("REJECT_CARD_PAYMENT", "The card was refused.")
    assert found.ended_at == world.clock.now()


async def test_an_abandoned_payment_fails_the_purchase(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.give_up(order_id)

    assert await world.use_case(CheckPurchase)(order_id) is FAILED
    assert (await view(world, ann, order_id)).failure == PaymentFailure("PAY_PROCESS_CANCELED", "The buyer gave up.")


async def test_money_captured_after_a_failure_is_credited(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.give_up(order_id)
    await world.use_case(CheckPurchase)(order_id)
    world.payments.charge(order_id)

    assert await settle(world, order_id, key=key) is PAID
    assert await tokens(world, ann) == 500
    assert (await view(world, ann, order_id)).failure is None
