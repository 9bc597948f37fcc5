"""Buying tokens: one credit for money that was taken, none without, whatever comes when."""

import asyncio
import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from core.accounts.model import User
from core.errors import Category
from core.identifiers import OrderId
from core.paging import PageRequest
from core.ports.payment_provider import PaymentsUnavailable
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import OutcomeUnknown
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import InvalidPackage, PaymentMismatch, PurchaseNotFound
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.model import CHECK_AGAIN, TIME_TO_PAY, TIME_TO_SETTLE, PurchaseStatus
from core.purchases.packages import PACKAGES
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.purchases.record_payment import RecordPayment
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.purchases.views import PurchaseView, StartedPurchase
from core.tokens.model import wallet
from core.tokens.views import RelatedPurchase, TransactionFilter
from tests.core.failing import Broken, Interrupted, LosesConnection, failing
from tests.support.world import MemoryWorld

ALL_TIME = TIME_TO_PAY + TIME_TO_SETTLE
PAID, PENDING, FAILED, EXPIRED = (
    PurchaseStatus.PAID,
    PurchaseStatus.PENDING,
    PurchaseStatus.FAILED,
    PurchaseStatus.EXPIRED,
)


async def start(world: MemoryWorld, buyer: User, package_id: str = "standard_500") -> StartedPurchase:
    return await world.use_case(StartPurchase)(buyer.id, package_id)


async def settle(world: MemoryWorld, order_id: OrderId, *, key: str, amount: int = 45_000) -> PurchaseStatus:
    return await world.use_case(SettlePurchase)(order_id, payment_key=key, amount=amount)


async def agreed(world: MemoryWorld) -> tuple[User, OrderId, str]:
    """A user who has agreed to pay 45,000 for 500 tokens, the order, and the payment key."""
    buyer = await world.user("ann")
    order_id = (await start(world, buyer)).order_id
    return buyer, order_id, world.payments.agree(order_id)


async def tokens(world: MemoryWorld, user: User) -> int:
    return (await world.read.tokens.balance(user.id)).token_balance


async def view(world: MemoryWorld, user: User, order_id: OrderId) -> PurchaseView:
    return await world.read.purchases.of_owner(user.id, order_id)


async def status(world: MemoryWorld, user: User, order_id: OrderId) -> str:
    return (await view(world, user, order_id)).status


# --- starting ---------------------------------------------------------------------------------------------------------


def test_the_price_per_token_follows_from_the_package() -> None:
    assert [package.amount_tokens * package.price_per_token for package in PACKAGES] == [10_000, 45_000, 80_000]
    assert all(package.total_price == package.amount_tokens * package.price_per_token for package in PACKAGES)
    assert len({package.package_id for package in PACKAGES}) == len(PACKAGES)


async def test_a_purchase_starts_at_the_packages_terms(world: MemoryWorld) -> None:
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


async def test_each_purchase_has_an_order_of_its_own(world: MemoryWorld) -> None:
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


async def test_nothing_is_stored_while_the_provider_is_out_of_reach(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    world.payments.reachable = False

    with pytest.raises(PaymentsUnavailable):
        await start(world, ann)

    assert not world.database.tables.purchases


async def test_others_do_not_see_a_purchase(world: MemoryWorld) -> None:
    _, order_id, _ = await agreed(world)

    with pytest.raises(PurchaseNotFound):
        await view(world, await world.user("bob"), order_id)


# --- paying -----------------------------------------------------------------------------------------------------------


async def test_a_paid_purchase_is_credited_and_seen_with_its_price(world: MemoryWorld) -> None:
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


async def test_confirming_again_moves_nothing(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    assert [await settle(world, order_id, key=key) for _ in range(3)] == [PAID] * 3

    assert await tokens(world, ann) == 500
    assert world.payments.confirmations == 1


async def test_a_paid_purchase_needs_no_provider_any_more(world: MemoryWorld) -> None:
    _, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)
    world.payments.reachable = False

    assert await settle(world, order_id, key="another", amount=1) is PAID
    assert await world.use_case(CheckPurchase)(order_id) is PAID


async def test_a_hint_before_the_return_page_credits_once(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.charge(order_id)

    assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PAID
    assert await settle(world, order_id, key=key) is PAID

    assert await tokens(world, ann) == 500


async def test_a_hint_without_money_moves_nothing(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PENDING
    assert await world.use_case(CheckPurchase)(order_id, payment_key="made up") is PENDING
    assert await world.use_case(CheckPurchase)(order_id) is PENDING

    assert await tokens(world, ann) == 0
    assert world.payments.confirmations == 0


async def test_of_concurrent_reports_of_a_payment_one_credits(world: MemoryWorld) -> None:
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
async def test_another_amount_or_currency_buys_nothing_and_is_logged_once(
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


async def test_money_put_right_is_credited(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.charge(order_id, amount=44_999)
    await world.use_case(CheckPurchase)(order_id)
    world.payments.charge(order_id, amount=45_000)

    assert await world.use_case(CheckPurchase)(order_id) is PAID
    assert await tokens(world, ann) == 500


async def test_the_payment_of_another_order_buys_nothing(world: MemoryWorld) -> None:
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


async def test_money_for_another_order_is_left_for_that_one(world: MemoryWorld) -> None:
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


@pytest.mark.parametrize("left", [0, 30_000])
async def test_a_refund_takes_no_tokens_and_is_logged(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture, left: int
) -> None:
    buyer, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)
    before = await view(world, buyer, order_id)
    world.payments.refund(order_id, left=left)

    with caplog.at_level(logging.ERROR):
        assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PAID

    [record] = caplog.records
    assert f"left={left} of=45000 currency=KRW tokens_kept=500" in record.getMessage()
    assert (await tokens(world, buyer), await view(world, buyer, order_id)) == (500, before)


async def test_a_report_of_a_captured_payment_logs_no_error(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    _, order_id, key = await agreed(world)
    await settle(world, order_id, key=key)

    with caplog.at_level(logging.WARNING):
        assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PAID

    assert not caplog.records


async def test_a_refused_card_fails_the_purchase_with_the_providers_reason(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.refuse(order_id)

    assert [await settle(world, order_id, key=key) for _ in range(2)] == [FAILED] * 2

    assert await tokens(world, ann) == 0
    found = await view(world, ann, order_id)
    assert found.failure == PaymentFailure("REJECT_CARD_PAYMENT", "The card was refused.")
    assert found.ended_at == world.clock.now()


async def test_a_payment_that_was_given_up_fails_the_purchase(world: MemoryWorld) -> None:
    ann, order_id, _ = await agreed(world)
    world.payments.give_up(order_id)

    assert await world.use_case(CheckPurchase)(order_id) is FAILED
    assert (await view(world, ann, order_id)).failure == PaymentFailure("PAY_PROCESS_CANCELED", "The buyer gave up.")


async def test_money_taken_counts_after_a_failure_too(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.give_up(order_id)
    await world.use_case(CheckPurchase)(order_id)
    world.payments.charge(order_id)

    assert await settle(world, order_id, key=key) is PAID
    assert await tokens(world, ann) == 500
    assert (await view(world, ann, order_id)).failure is None


# --- what breaks ------------------------------------------------------------------------------------------------------


async def test_a_purchase_stays_pending_while_the_provider_is_out_of_reach(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.payments.reachable = False

    with pytest.raises(PaymentsUnavailable):
        await settle(world, order_id, key=key)
    with pytest.raises(PaymentsUnavailable):
        await world.use_case(CheckPurchase)(order_id)

    assert await status(world, ann, order_id) == "pending"
    world.payments.reachable = True
    assert await settle(world, order_id, key=key) is PAID


async def test_an_answer_that_never_came_is_asked_for_a_minute_later(world: MemoryWorld) -> None:
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
async def test_a_crash_between_confirmation_and_commit_is_made_up_for(world: MemoryWorld, method: str) -> None:
    ann, order_id, key = await agreed(world)
    scope = world.scope()
    crashing = RecordPayment(
        scope.users,
        failing(scope.purchases, method),
        scope.ledger,
        scope.transaction,
        world.clock,
    )

    with pytest.raises(Broken):
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
    crashing = RecordPayment(scope.users, scope.purchases, broken, scope.transaction, world.clock)

    with pytest.raises(Broken):
        await world.use_case(SettlePurchase, record=crashing)(order_id, payment_key=key, amount=45_000)
    assert (await status(world, ann, order_id), await tokens(world, ann)) == ("pending", 0)

    world.clock.advance(ALL_TIME)
    await world.use_case(ExpirePurchases)()
    assert (await status(world, ann, order_id), await tokens(world, ann)) == ("paid", 500)


async def test_a_commit_of_unknown_outcome_is_settled_by_asking_again(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    scope = world.scope()
    record = RecordPayment(scope.users, scope.purchases, scope.ledger, LosesConnection(scope.transaction), world.clock)

    with pytest.raises(OutcomeUnknown):
        await world.use_case(SettlePurchase, record=record)(order_id, payment_key=key, amount=45_000)

    assert await settle(world, order_id, key=key) is PAID
    assert await tokens(world, ann) == 500


@pytest.mark.parametrize("breaks", ["crediting", "waiting for the provider", "expiring"])
async def test_nothing_is_lost_when_a_hint_comes_in_the_middle(world: MemoryWorld, breaks: str) -> None:
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


async def test_a_lost_response_does_not_change_a_purchase_paid_meanwhile(world: MemoryWorld) -> None:
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


# --- running out of time ----------------------------------------------------------------------------------------------


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


async def test_no_money_is_taken_once_the_time_to_pay_is_over(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)

    world.clock.advance(TIME_TO_PAY)
    assert await settle(world, order_id, key=key) is PENDING
    world.clock.advance(TIME_TO_SETTLE)
    await world.use_case(ExpirePurchases)()
    assert await settle(world, order_id, key=key) is EXPIRED

    assert world.payments.confirmations == 0
    assert await tokens(world, ann) == 0


async def test_money_is_taken_until_the_last_moment(world: MemoryWorld) -> None:
    _, order_id, key = await agreed(world)
    world.clock.advance(TIME_TO_PAY - timedelta(microseconds=1))
    assert await settle(world, order_id, key=key) is PAID


async def test_money_taken_counts_after_expiry_too(world: MemoryWorld) -> None:
    ann, order_id, key = await agreed(world)
    world.clock.advance(ALL_TIME)
    await world.use_case(ExpirePurchases)()
    world.payments.charge(order_id)

    assert await world.use_case(CheckPurchase)(order_id, payment_key=key) is PAID
    assert await settle(world, order_id, key=key) is PAID

    assert await tokens(world, ann) == 500
    assert await world.use_case(ExpirePurchases)() == 0


async def test_a_purchase_that_expires_while_it_is_being_paid_for_is_credited(world: MemoryWorld) -> None:
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


async def test_a_late_confirmation_without_an_answer_is_given_all_its_time(world: MemoryWorld) -> None:
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


async def test_an_answer_counts_for_the_time_of_its_request(world: MemoryWorld) -> None:
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


async def test_nothing_expires_while_the_provider_is_out_of_reach(world: MemoryWorld) -> None:
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


async def test_one_that_cannot_be_settled_does_not_stand_in_the_way(
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


async def test_two_concurrent_passes_do_the_work_of_one(world: MemoryWorld) -> None:
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


async def test_a_pass_is_limited(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    for _ in range(3):
        await start(world, ann)
    world.clock.advance(ALL_TIME)

    assert [await world.use_case(ExpirePurchases)(limit=2) for _ in range(3)] == [2, 1, 0]
