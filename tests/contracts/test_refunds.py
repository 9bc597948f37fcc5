"""Refunds of purchases: the tokens are on hold until the payment provider has given the money back or refused to."""

from datetime import timedelta

import pytest

from core.accounts.model import User
from core.audit.model import Operator
from core.errors import ValidationError
from core.generations.cancel_generation import CancelGeneration
from core.identifiers import HoldId, OrderId
from core.paging import PageRequest
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import NotRefundable, PurchaseNotFound
from core.purchases.model import CHECK_AGAIN, Purchase, PurchaseStatus
from core.purchases.payment import PaymentFailure
from core.purchases.refund import CHARGED_BACK, RefundPeriod
from core.purchases.refund_purchase import RefundPurchase
from core.purchases.request_refund import RequestRefund
from core.purchases.views import PurchaseView, RefundView
from core.styles.model import Style
from core.tokens.errors import InsufficientTokens
from core.tokens.views import RelatedPurchase, TransactionFilter
from tests.contracts.overlap import race
from tests.support.world import Scope, World, hold_for

REASON = "Requested by the buyer"
ADMIN = Operator(None)
PERIOD = RefundPeriod(timedelta(days=7))


@pytest.fixture
async def style(world: World) -> Style:
    """Of 30 tokens an image."""
    return await world.style(await world.artist("mia"))


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=40)


@pytest.fixture
async def purchase(world: World, ann: User) -> Purchase:
    """Of 100 tokens for 10,000."""
    return await world.buy(ann, 100)


async def request(world: World, ann: User, purchase: Purchase) -> None:
    await world.use_case(RequestRefund)(ann.id, purchase.order_id)


async def carry_out(world: World) -> int:
    """One pass, when everything is due again."""
    world.clock.advance(CHECK_AGAIN)
    return await world.use_case(CarryOutRefunds)()


async def look(world: World, purchase: Purchase) -> None:
    """The provider's webhook, twice."""
    for _ in range(2):
        await world.use_case(CheckPurchase)(purchase.order_id, payment_key=purchase.payment_key)


async def ask(scope: Scope, world: World, purchase: Purchase) -> None:
    """The refund of all that is left, in an open transaction."""
    before = await scope.purchases.of_order(purchase.order_id, lock=True)
    at = world.clock.now()
    after = before.ask_refund(await world.ids.hold(), tokens=None, reason="Sorry.", period=PERIOD, at=at)
    await scope.purchases.save(after)
    await scope.ledger.hold(after.refund_hold(at=at))


async def ask_in_part(world: World, purchase: Purchase, tokens: int | None) -> PurchaseView:
    """As an admin."""
    return await world.use_case(RefundPurchase)(ADMIN, purchase.order_id, tokens=tokens, reason="Sorry.")


async def view(world: World, purchase: Purchase) -> PurchaseView:
    return await world.read.purchases.of_owner(purchase.user_id, purchase.order_id)


async def state(world: World, purchase: Purchase) -> tuple[str, int, int]:
    """Status, the money that has gone back, and the tokens for it."""
    found = await view(world, purchase)
    return found.status, found.refunded_price, found.refunded_tokens


async def owned(world: World, user: User) -> tuple[int, int, int, int]:
    """The tokens available, the bonus part of them, those on hold, and the debt."""
    balance = await world.balance(user.id)
    return balance.token_balance, balance.bonus_tokens, balance.held_tokens, balance.debt_tokens


def given_back(world: World, purchase: Purchase) -> list[int]:
    """The sums that went back at our request."""
    return world.payments.given_back[str(purchase.payment_key)]


def kept(world: World, purchase: Purchase) -> int:
    return int(world.payments.payments[str(purchase.payment_key)].kept)


async def sound(world: World) -> bool:
    return all(not finding.broken for finding in await world.books.examine())


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


async def test_what_was_cancelled_by_hand_is_not_cancelled_again(world: World, ann: User, purchase: Purchase) -> None:
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


async def test_a_charge_back_of_another_purchase_leaves_the_hold_alone(
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
    payment = await world.payments.payment_of(purchase.order_id)
    assert payment is not None

    async def take_back(ports: Scope) -> None:
        before = await ports.purchases.of_order(purchase.order_id, lock=True)
        after = before.apply(payment, at=world.clock.now())
        await ports.purchases.save(after)
        transfer = after.charge_back(before, at=world.clock.now())
        assert transfer is not None
        await ports.ledger.transfer(transfer)

    async def refund(ports: Scope) -> None:
        await ask(ports, world, purchase)

    ended = await race(world, take_back, refund, sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, NotRefundable)
    assert await owned(world, ann) == (40, 40, 0, 0)
    assert await state(world, purchase) == ("refunded", 10_000, 100)
    assert await sound(world)


async def test_a_refund_is_refused_only_while_it_is_open(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    async with world.block() as scope:
        found = await scope.purchases.of_order(purchase.order_id)
    failure = PaymentFailure("NO", "No.")
    assert found.open_refund is not None
    assert found.refuse_refund(HoldId(found.open_refund.hold_id + 1), failure) == found
    refused = found.refuse_refund(found.open_refund.hold_id, failure)
    assert (refused.status, refused.refund and refused.refund.failure) == (PurchaseStatus.PAID, failure)
    assert refused.refuse_refund(found.open_refund.hold_id, failure) == refused
