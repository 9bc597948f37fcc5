"""Refunds of purchases: which tokens can be refunded, and by whom."""

from datetime import timedelta

import pytest

from core.accounts.model import User
from core.errors import ValidationError
from core.generations.cancel_generation import CancelGeneration
from core.identifiers import OrderId
from core.paging import PageRequest
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.errors import NotRefundable, PurchaseNotFound
from core.purchases.model import Purchase
from core.purchases.refund_purchase import RefundPurchase
from core.purchases.views import RefundView
from core.styles.model import Style
from core.tokens.errors import InsufficientTokens
from core.tokens.views import RelatedPurchase, TransactionFilter
from tests.contracts.refunds.steps import (
    ADMIN,
    PERIOD,
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
from tests.contracts.tokens import sound
from tests.support.world import World


async def test_tokens_are_held_until_the_money_is_refunded(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)

    assert await owned(world, ann) == (40, 40, 100, 0)
    assert await state(world, purchase) == ("refunding", 0, 0)
    assert (await view(world, purchase)).refund == RefundView("pending", 100, 10_000, REASON, None)
    assert kept(world, purchase) == 10_000
    assert await sound(world)

    assert await world.use_case(CarryOutRefunds)() == 1

    assert await owned(world, ann) == (40, 40, 0, 0)
    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert (await view(world, purchase)).refund == RefundView("completed", 100, 10_000, REASON, None)
    assert (kept(world, purchase), given_back(world, purchase)) == (0, [10_000])
    assert await carry_out(world) == 0
    assert await sound(world)


async def test_a_refund_is_listed_among_the_transactions(world: World, ann: User, purchase: Purchase) -> None:
    world.clock.advance(timedelta(minutes=1))
    await request(world, ann, purchase)
    for status in ("pending", "completed"):
        for wanted in (TransactionFilter.REFUND, TransactionFilter.ALL):
            page = await world.read.tokens.transactions(ann.id, type=wanted, page=PageRequest())
            line = page.rows[0]
            assert (line.type, line.direction, line.amount, line.status, line.memo) == (
                "refund",
                "out",
                100,
                status,
                REASON,
            )
            assert (line.total_price, line.price_per_token, line.currency_code) == (10_000, 100, "KRW")
            assert line.related_purchase == RelatedPurchase(purchase.order_id)
            assert line.bonus_tokens == (None if status == "pending" else 0)
        await carry_out(world)


async def test_a_purchase_is_refunded_in_parts(world: World, ann: User, style: Style, purchase: Purchase) -> None:
    for _ in range(2):
        await world.image(ann, style)  # 40 bonus tokens, and 20 that were bought
    with pytest.raises(NotRefundable) as refused:
        await ask_in_part(world, purchase, 81)
    assert refused.value.details == {"reason": "spent"}
    with pytest.raises(NotRefundable):
        await ask_in_part(world, purchase, None)

    await ask_in_part(world, purchase, 30)
    await carry_out(world)
    assert await state(world, purchase) == ("paid", 3_000, 30)
    await ask_in_part(world, purchase, 50)
    await carry_out(world)

    assert await state(world, purchase) == ("paid", 8_000, 80)
    assert (kept(world, purchase), given_back(world, purchase)) == (2_000, [3_000, 5_000])
    assert await owned(world, ann) == (0, 0, 0, 0)
    assert await sound(world)


async def test_an_admin_refunds_with_a_reason_and_leaves_a_line(world: World, ann: User, purchase: Purchase) -> None:
    with pytest.raises(ValidationError):
        await world.use_case(RefundPurchase)(ADMIN, purchase.order_id, tokens=30, reason=" ")
    with pytest.raises(PurchaseNotFound):
        await world.use_case(RefundPurchase)(ADMIN, OrderId("nothing"), tokens=30, reason="Sorry.")

    assert await ask_in_part(world, purchase, 30) == await view(world, purchase)

    assert (await view(world, purchase)).refund == RefundView("pending", 30, 3_000, "Sorry.", None)
    with pytest.raises(NotRefundable):
        await ask_in_part(world, purchase, 30)
    [line] = (await world.read.audit.list(page=PageRequest())).rows
    assert (line.action, line.target_type, line.target_id, line.before, line.after, line.reason) == (
        "purchase.refunded",
        "purchase",
        purchase.order_id,
        {"status": "paid"},
        {"status": "refunding", "tokens": 30},
        "Sorry.",
    )


async def test_a_hold_beyond_the_refundable_tokens_is_refused(
    world: World, ann: User, style: Style, purchase: Purchase
) -> None:
    await world.image(ann, style)
    await world.generation(ann, style)  # 10 of its tokens are bonus
    with pytest.raises(InsufficientTokens) as refused:
        async with world.block() as scope:
            await ask(scope, world, purchase)
    assert refused.value.details == {"required": 100, "available": 80}


async def test_the_unspent_rest_of_a_purchase_is_refunded(world: World, ann: User, purchase: Purchase) -> None:
    world.payments.refund(purchase.order_id, left=6_950)
    await look(world, purchase)
    assert await state(world, purchase) == ("paid", 3_050, 31)

    await request(world, ann, purchase)
    assert (await view(world, purchase)).refund == RefundView("pending", 69, 6_950, REASON, None)
    await carry_out(world)

    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert await sound(world)


async def test_tokens_held_for_a_refund_cannot_be_spent(
    world: World, ann: User, style: Style, purchase: Purchase
) -> None:
    await request(world, ann, purchase)
    await world.image(ann, style)

    with pytest.raises(InsufficientTokens):
        await world.generation(ann, style)
    assert await owned(world, ann) == (10, 10, 100, 0)
    await carry_out(world)
    assert await owned(world, ann) == (10, 10, 0, 0)
    assert await sound(world)


async def test_tokens_held_by_generations_are_not_refunded(
    world: World, ann: User, style: Style, purchase: Purchase
) -> None:
    first, second = await world.generation(ann, style), await world.generation(ann, style)
    with pytest.raises(NotRefundable) as refused:
        await request(world, ann, purchase)
    assert refused.value.details == {"reason": "spent"}
    assert (await view(world, purchase)).status == "paid"

    await world.use_case(CancelGeneration)(ann.id, first.id)
    await request(world, ann, purchase)  # what is left for the second is bonus
    await carry_out(world)

    async with world.block() as scope:
        at = world.clock.now()
        await scope.generations.save(second.complete(at=at, result_key="generations/x.png", metadata={}))
        await scope.ledger.post(second.hold_id, at=at)
    assert await owned(world, ann) == (10, 10, 0, 0)
    assert await sound(world)


async def test_spent_tokens_are_not_refunded(world: World, ann: User, style: Style, purchase: Purchase) -> None:
    for _ in range(2):
        await world.image(ann, style)

    with pytest.raises(NotRefundable) as refused:
        await request(world, ann, purchase)

    assert refused.value.details == {"reason": "spent"}
    assert await owned(world, ann) == (80, 0, 0, 0)
    assert (await view(world, purchase)).refund is None


async def test_a_debt_prevents_refunds(world: World, ann: User, style: Style, purchase: Purchase) -> None:
    for _ in range(4):
        await world.image(ann, style)
    other = await world.buy(ann, 10)
    world.payments.refund(purchase.order_id, left=0)
    await look(world, purchase)

    with pytest.raises(NotRefundable) as refused:
        await request(world, ann, other)
    assert refused.value.details == {"reason": "spent"}


async def test_a_purchase_is_refundable_for_refund_days(world: World, ann: User, purchase: Purchase) -> None:
    other = await world.buy(ann, 10)
    world.clock.advance(PERIOD - timedelta(microseconds=1))
    await request(world, ann, other)

    world.clock.advance(timedelta(microseconds=1))
    with pytest.raises(NotRefundable) as refused:
        await request(world, ann, purchase)
    assert refused.value.details == {"reason": "too_late"}


async def test_another_users_purchase_cannot_be_refunded(world: World, purchase: Purchase) -> None:
    with pytest.raises(PurchaseNotFound):
        await request(world, await world.user("eve"), purchase)
    assert (await view(world, purchase)).status == "paid"


async def test_a_second_refund_is_refused(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    with pytest.raises(NotRefundable) as refused:
        await request(world, ann, purchase)
    assert refused.value.details == {"reason": "refunding"}

    await carry_out(world)
    with pytest.raises(NotRefundable) as refused:
        await request(world, ann, purchase)
    assert refused.value.details == {"reason": "not_paid"}
