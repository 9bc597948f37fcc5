"""Refunds that others get ahead of, or that cannot be carried out."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from core.accounts.model import User
from core.errors import ValidationError
from core.identifiers import HoldId, NotificationId, OrderId
from core.problems import wrong_token_amount
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import NotRefundable
from core.purchases.model import CHECK_AGAIN, Purchase, new_purchase
from core.purchases.notification import charge_back_notification, refund_notification
from core.purchases.packages import package_of
from core.purchases.refund import RefundPeriod
from core.purchases.request_refund import RequestRefund
from core.tokens.model import ISSUANCE, Transfer, TransferKind, wallet
from tests.core.failing import Interrupted, Overtaken
from tests.support.memory_world import MemoryWorld

PERIOD = RefundPeriod(timedelta(days=7))


@pytest.fixture
async def ann(world: MemoryWorld) -> User:
    return await world.user("ann")


@pytest.fixture
async def purchase(world: MemoryWorld, ann: User) -> Purchase:
    """Of 100 tokens for 10,000, being refunded."""
    purchase = await world.buy(ann, 100)
    await world.use_case(RequestRefund)(ann.id, purchase.order_id)
    return purchase


def stored(world: MemoryWorld, purchase: Purchase) -> Purchase:
    return world.database.tables.purchases[purchase.order_id]


async def owned(world: MemoryWorld, user: User) -> tuple[int, int]:
    """The tokens available, and those on hold."""
    funds = await world.funds(user.id)
    return funds.token_balance, funds.held_tokens


async def carry_out(world: MemoryWorld, **ports: object) -> int:
    world.clock.advance(CHECK_AGAIN)
    return await world.use_case(CarryOutRefunds, **ports)()


def overtaken(world: MemoryWorld, before: Callable[[], Awaitable[object]], *, at: int) -> dict[str, object]:
    """The ports of a pass before whose block number `at` something else happens: it lists the refunds, begins with one,
    records and reads each look-up, and refuses it.
    """
    scope = world.scope()
    return {
        "purchases": scope.purchases,
        "ledger": scope.ledger,
        "transaction": Overtaken(scope.transaction, before, at=at),
    }


async def test_a_webhook_can_precede_the_pass(world: MemoryWorld, ann: User, purchase: Purchase) -> None:
    async def webhook() -> None:
        world.payments.refund(purchase.order_id, left=0)
        await world.use_case(CheckPurchase)(purchase.order_id, payment_key=purchase.payment_key)

    assert await carry_out(world, **overtaken(world, webhook, at=2)) == 1

    assert stored(world, purchase).status.value == "refunded"
    assert world.payments.given_back == {}
    assert await owned(world, ann) == (0, 0)


async def test_a_webhook_can_arrive_between_look_up_and_cancellation(
    world: MemoryWorld, ann: User, purchase: Purchase
) -> None:
    async def webhook() -> None:
        world.payments.refund(purchase.order_id, left=0)
        await world.use_case(CheckPurchase)(purchase.order_id, payment_key=purchase.payment_key)

    await carry_out(world, provider=Interrupted(world.payments, "cancel", webhook))

    assert stored(world, purchase).status.value == "refunded"
    assert world.payments.given_back == {}
    assert await owned(world, ann) == (0, 0)


async def test_a_webhook_can_precede_the_response(world: MemoryWorld, ann: User, purchase: Purchase) -> None:
    class Slow(type(world.payments)):  # type: ignore[misc]
        async def cancel(_, key: str, **asked: Any) -> object:
            answer = await world.payments.cancel(key, **asked)
            await world.use_case(CheckPurchase)(purchase.order_id, payment_key=key)
            return answer

        async def payment(_, key: str) -> object:
            return await world.payments.payment(key)

    await carry_out(world, provider=Slow())

    assert stored(world, purchase).status.value == "refunded"
    assert world.payments.given_back == {purchase.payment_key: [10_000]}
    assert await owned(world, ann) == (0, 0)


async def test_one_of_two_refused_passes_voids_the_hold(world: MemoryWorld, ann: User, purchase: Purchase) -> None:
    world.payments.refuse_to_refund(purchase.order_id)

    async def another() -> None:
        assert await carry_out(world) == 1

    assert await carry_out(world, **overtaken(world, another, at=7)) == 1

    assert stored(world, purchase).status.value == "paid"
    assert await owned(world, ann) == (100, 0)


async def test_a_payment_unknown_to_the_provider_is_logged(
    world: MemoryWorld, ann: User, purchase: Purchase, caplog: pytest.LogCaptureFixture
) -> None:
    del world.payments.payments[str(purchase.payment_key)]

    with caplog.at_level(logging.ERROR):
        assert await carry_out(world) == 1

    assert "payment is unknown to the provider" in caplog.text
    assert stored(world, purchase).status.value == "refunding"
    assert await owned(world, ann) == (0, 100)


async def test_a_failed_refund_stops_no_other(
    world: MemoryWorld, ann: User, purchase: Purchase, caplog: pytest.LogCaptureFixture
) -> None:
    world.clock.advance()
    other = await world.buy(ann, 10)
    await world.use_case(RequestRefund)(ann.id, other.order_id)
    key = str(purchase.payment_key)
    world.payments.payments[key] = msgspec.structs.replace(world.payments.payments[key], order_id=OrderId("another"))

    with caplog.at_level(logging.ERROR):
        assert await carry_out(world) == 2

    assert "purchase cannot be refunded" in caplog.text
    assert (stored(world, purchase).status.value, stored(world, other).status.value) == ("refunding", "refunded")
    assert await owned(world, ann) == (0, 100)


async def test_a_failed_look_up_ends_the_pass(world: MemoryWorld, ann: User, purchase: Purchase) -> None:
    other = await world.buy(ann, 10)
    await world.use_case(RequestRefund)(ann.id, other.order_id)
    world.payments.reachable = False

    assert await carry_out(world) == 1
    world.payments.reachable = True

    assert await world.use_case(CarryOutRefunds)() == 1  # the one that was not asked for yet
    assert sorted(stored(world, one).status.value for one in (purchase, other)) == ["refunded", "refunding"]


async def test_a_partial_refund_has_one_to_all_remaining_tokens(world: MemoryWorld, ann: User) -> None:
    paid = await world.buy(ann, 100)
    for tokens in (0, -1, 101):
        with pytest.raises(ValidationError) as refused:
            paid.ask_refund(HoldId(1), tokens=tokens, reason="x", period=PERIOD, at=world.clock.now())
        assert refused.value.details == {"tokens": wrong_token_amount(1, 100)}


async def test_without_remaining_tokens_nothing_is_refunded(world: MemoryWorld, ann: User) -> None:
    paid = await world.buy(ann, 100)
    world.payments.refund(paid.order_id, left=1)
    await world.use_case(CheckPurchase)(paid.order_id, payment_key=paid.payment_key)

    with pytest.raises(NotRefundable) as refused:
        await world.use_case(RequestRefund)(ann.id, paid.order_id)
    assert refused.value.details == {"reason": "not_paid"}


async def test_only_a_refunding_purchase_has_a_hold(world: MemoryWorld, ann: User) -> None:
    paid = await world.buy(ann, 100)
    with pytest.raises(ValueError, match="is not being refunded"):
        paid.refund_hold(at=world.clock.now())


async def test_only_an_ended_refund_is_notified(world: MemoryWorld, purchase: Purchase) -> None:
    with pytest.raises(ValueError, match="has ended"):
        refund_notification(NotificationId(1), stored(world, purchase), at=world.clock.now())
    with pytest.raises(ValueError, match="has gone back"):
        charge_back_notification(
            NotificationId(1),
            purchase,
            Transfer("x", TransferKind.BONUS, ISSUANCE, wallet(purchase.user_id), 1, world.clock.now()),
        )


async def test_only_a_paid_purchase_is_refunded(world: MemoryWorld, ann: User) -> None:
    pending = new_purchase(OrderId("x"), ann.id, package_of("basic_100"), at=world.clock.now())
    with pytest.raises(NotRefundable):
        pending.ask_refund(HoldId(1), tokens=None, reason="x", period=PERIOD, at=world.clock.now())
