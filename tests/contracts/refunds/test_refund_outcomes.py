"""Refunds at the payment provider: completed, refused, cancelled otherwise, and concurrent with other calls."""

from datetime import timedelta

import pytest

from core.accounts.model import User
from core.identifiers import HoldId
from core.paging import PageRequest
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.errors import NotRefundable
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.payment import PaymentFailure
from core.purchases.refund import CHARGED_BACK
from core.purchases.views import RefundView
from core.styles.model import Style
from core.tokens.errors import InsufficientTokens
from core.tokens.views import TransactionFilter
from tests.contracts.overlap import race
from tests.contracts.refunds.steps import (
    REASON,
    ask,
    ask_in_part,
    carry_out,
    given_back,
    kept,
    look,
    owned,
    request,
    state,
    view,
)
from tests.contracts.tokens import sound, taking_back
from tests.support.scope import Scope
from tests.support.world import World, hold_for


async def test_a_provider_outage_keeps_the_hold(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    world.payments.reachable = False
    for _ in range(2):
        assert await carry_out(world) == 1
    assert await world.use_case(CarryOutRefunds)() == 0  # it waits before it asks again

    assert await owned(world, ann) == (40, 40, 100, 0)
    assert await state(world, purchase) == ("refunding", 0, 0)
    world.payments.reachable = True
    await carry_out(world)
    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert await sound(world)


async def test_a_lost_response_is_looked_up(world: World, ann: User, purchase: Purchase) -> None:
    await ask_in_part(world, purchase, 30)
    world.payments.answers_cancellations = False
    await carry_out(world)
    assert (kept(world, purchase), await state(world, purchase)) == (7_000, ("refunding", 0, 0))

    await carry_out(world)

    assert (kept(world, purchase), given_back(world, purchase)) == (7_000, [3_000])
    assert await state(world, purchase) == ("paid", 3_000, 30)
    assert await owned(world, ann) == (110, 40, 0, 0)
    assert await sound(world)


async def test_a_manual_cancellation_is_not_repeated(world: World, ann: User, purchase: Purchase) -> None:
    await ask_in_part(world, purchase, 30)
    world.payments.refund(purchase.order_id, left=7_000)

    await carry_out(world)

    assert (kept(world, purchase), given_back(world, purchase)) == (7_000, [])
    assert await state(world, purchase) == ("paid", 3_000, 30)
    assert await owned(world, ann) == (110, 40, 0, 0)
    assert await sound(world)


async def test_a_webhook_ends_a_refund(world: World, ann: User, purchase: Purchase) -> None:
    await ask_in_part(world, purchase, 30)
    world.payments.refund(purchase.order_id, left=7_000)
    await look(world, purchase)

    assert await state(world, purchase) == ("paid", 3_000, 30)
    assert await carry_out(world) == 0
    assert await owned(world, ann) == (110, 40, 0, 0)
    assert await sound(world)


async def test_a_larger_cancellation_takes_back_more_tokens(world: World, ann: User, purchase: Purchase) -> None:
    await ask_in_part(world, purchase, 30)
    world.payments.refund(purchase.order_id, left=2_000)
    await look(world, purchase)

    assert await state(world, purchase) == ("paid", 8_000, 80)
    assert (await view(world, purchase)).refund == RefundView("completed", 30, 3_000, "Sorry.", None)
    page = await world.read.tokens.transactions(ann.id, type=TransactionFilter.REFUND, page=PageRequest())
    assert sorted((line.amount, line.total_price) for line in page.rows) == [(30, 3_000), (50, 5_000)]
    assert await sound(world)


async def test_a_smaller_cancellation_keeps_the_refund_open(world: World, ann: User, purchase: Purchase) -> None:
    await ask_in_part(world, purchase, 30)
    world.payments.refund(purchase.order_id, left=8_050)
    await look(world, purchase)
    assert await state(world, purchase) == ("refunding", 1_950, 20)
    assert await owned(world, ann) == (90, 40, 30, 0)
    assert await sound(world)

    await carry_out(world)

    assert (kept(world, purchase), await state(world, purchase)) == (5_050, ("paid", 4_950, 50))
    assert await owned(world, ann) == (90, 40, 0, 0)
    assert await sound(world)


@pytest.mark.parametrize(("left", "status"), [(9_000, "paid"), (0, "refunded")])
async def test_a_refund_larger_than_the_rest_ends(
    world: World, ann: User, purchase: Purchase, left: int, status: str
) -> None:
    await ask_in_part(world, purchase, 30)
    await carry_out(world)
    await request(world, ann, purchase)  # the other 7,000
    if left:
        world.payments.refund(purchase.order_id, left=6_000)
    else:
        world.payments.refund(purchase.order_id, left=1_000)
        await look(world, purchase)
        world.payments.refund(purchase.order_id, left=0)
    await look(world, purchase)

    found = await view(world, purchase)
    assert (found.status, found.refunded_price) == ((status, 4_000) if left else (status, 10_000))
    assert found.refund == RefundView("refused", 70, 7_000, REASON, CHARGED_BACK)
    assert await owned(world, ann) == ((100, 40, 0, 0) if left else (40, 40, 0, 0))
    assert await carry_out(world) == 0
    assert await sound(world)


async def test_a_refused_refund_frees_the_tokens_and_says_why(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    world.payments.refuse_to_refund(purchase.order_id)
    await carry_out(world)

    failure = PaymentFailure("NOT_CANCELABLE_AMOUNT", "This cannot be given back.")
    assert await state(world, purchase) == ("paid", 0, 0)
    assert (await view(world, purchase)).refund == RefundView("refused", 100, 10_000, REASON, failure)
    assert await owned(world, ann) == (140, 40, 0, 0)
    assert await sound(world)
    page = await world.read.tokens.transactions(ann.id, type=TransactionFilter.REFUND, page=PageRequest())
    assert [(line.status, line.refunded) for line in page.rows] == [("failed", True)]

    world.payments.agree_to_refund(purchase.order_id)
    await request(world, ann, purchase)
    assert (await view(world, purchase)).refund == RefundView("pending", 100, 10_000, REASON, None)
    await carry_out(world)
    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert await sound(world)


async def test_a_cancellation_after_a_refusal_takes_tokens_back(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    world.payments.refuse_to_refund(purchase.order_id)
    await carry_out(world)
    world.payments.refund(purchase.order_id, left=0)
    await look(world, purchase)

    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert await owned(world, ann) == (40, 40, 0, 0)
    assert await sound(world)


async def test_a_charge_back_of_another_purchase_keeps_the_hold(
    world: World, ann: User, style: Style, purchase: Purchase
) -> None:
    other = await world.buy(ann, 50)
    await request(world, ann, purchase)
    world.payments.refund(other.order_id, left=0)
    for _ in range(3):
        await world.image(ann, style)  # 40 bonus tokens, and all 50 that are left
    await look(world, other)
    assert await owned(world, ann) == (0, 0, 100, 50)
    assert await sound(world)

    await carry_out(world)

    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert await owned(world, ann) == (0, 0, 0, 50)
    assert await sound(world)


async def test_tokens_of_a_refused_refund_pay_a_debt(world: World, ann: User, style: Style, purchase: Purchase) -> None:
    other = await world.buy(ann, 50)
    await request(world, ann, purchase)
    for _ in range(3):
        await world.image(ann, style)
    world.payments.refund(other.order_id, left=0)
    await look(world, other)
    world.payments.refuse_to_refund(purchase.order_id)

    await carry_out(world)

    assert await owned(world, ann) == (50, 0, 0, 0)
    assert await sound(world)


async def test_open_refunds_are_listed_earliest_first(world: World, ann: User) -> None:
    first, second = await world.buy(ann, 10), await world.buy(ann, 20)
    await request(world, ann, second)
    world.clock.advance(timedelta(seconds=1))
    await request(world, ann, first)

    async with world.block() as scope:
        now = world.clock.now()
        assert await scope.purchases.to_refund(now=now, limit=2) == [second.order_id, first.order_id]
        assert await scope.purchases.to_refund(now=now, limit=1) == [second.order_id]
        assert await scope.purchases.to_refund(now=now - timedelta(seconds=1), limit=2) == [second.order_id]
        assert await scope.purchases.to_check(now=now, limit=2) == []


async def test_concurrent_refund_requests_race(world: World, ann: User, purchase: Purchase, sent: bool) -> None:
    async def refund(ports: Scope) -> None:
        await ask(ports, world, purchase)

    ended = await race(world, refund, refund, sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, NotRefundable)
    assert await owned(world, ann) == (40, 40, 100, 0)
    assert await sound(world)


async def test_a_refund_races_with_a_generation(
    world: World, ann: User, style: Style, purchase: Purchase, sent: bool
) -> None:
    """The tokens are refunded or spent: not both, and not neither."""
    await world.image(ann, style)
    generation = await world.unsaved_generation(ann, style)

    async def refund(ports: Scope) -> None:
        await ask(ports, world, purchase)

    async def image(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(generation))
        await ports.generations.add(generation)

    ended = await race(world, refund, image, sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, InsufficientTokens)
    assert await owned(world, ann) == (10, 10, 100, 0)
    assert await sound(world)


async def test_a_refund_races_with_a_charge_back(world: World, ann: User, purchase: Purchase, sent: bool) -> None:
    """Money goes back once, and takes its tokens along once."""
    world.payments.refund(purchase.order_id, left=0)

    async def refund(ports: Scope) -> None:
        await ask(ports, world, purchase)

    ended = await race(world, await taking_back(world, purchase), refund, sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, NotRefundable)
    assert await owned(world, ann) == (40, 40, 0, 0)
    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert await sound(world)


async def test_only_an_open_refund_can_be_refused(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    async with world.block() as scope:
        found = await scope.purchases.of_order(purchase.order_id)
    failure = PaymentFailure("NO", "No.")
    assert found.open_refund is not None
    assert found.refuse_refund(HoldId(found.open_refund.hold_id + 1), failure) == found
    refused = found.refuse_refund(found.open_refund.hold_id, failure)
    assert (refused.status, refused.refund and refused.refund.failure) == (PurchaseStatus.PAID, failure)
    assert refused.refuse_refund(found.open_refund.hold_id, failure) == refused
