"""Money that was taken back at the payment provider: tokens, debts and their end."""

from datetime import timedelta

import pytest

from core.accounts.model import User
from core.audit.model import Operator
from core.debts.forgive_debt import ForgiveDebt
from core.errors import ValidationError
from core.generations.cancel_generation import CancelGeneration
from core.paging import PageRequest
from core.purchases.check_purchase import CheckPurchase
from core.purchases.model import Purchase
from core.styles.model import Style
from core.tokens.errors import DebtOutstanding, InsufficientTokens, NoDebt
from core.tokens.model import ISSUANCE, Transfer, TransferKind, wallet
from core.tokens.views import RelatedPurchase, TransactionFilter
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.contracts.overlap import race
from tests.contracts.tokens import sound, taking_back
from tests.support.scope import Scope
from tests.support.world import World, hold_for


@pytest.fixture
async def style(world: World) -> Style:
    """Of 30 tokens an image."""
    return await world.style(await world.artist("mia"))


async def charge_back(world: World, purchase: Purchase, *, left: int = 0) -> None:
    """The money, of 100 a token, goes back at the provider, whose webhook comes twice."""
    world.payments.refund(purchase.order_id, left=left)
    for _ in range(2):
        await world.use_case(CheckPurchase)(purchase.order_id, payment_key=purchase.payment_key)


async def owned(world: World, user: User) -> tuple[int, int, int]:
    """The tokens available, the bonus part of them, and the debt."""
    balance = await world.balance(user.id)
    return balance.token_balance, balance.bonus_tokens, balance.debt_tokens


async def test_a_charge_back_takes_back_available_tokens(world: World) -> None:
    ann = await world.user("ann", tokens=40)
    purchase = await world.buy(ann, 100)

    await charge_back(world, purchase, left=7_000)
    assert await owned(world, ann) == (110, 40, 0)
    await charge_back(world, purchase)

    assert await owned(world, ann) == (40, 40, 0)
    view = await world.read.purchases.of_owner(ann.id, purchase.order_id)
    assert (view.status, view.refunded_price, view.refunded_tokens) == ("refunded", 10_000, 100)
    page = await world.read.tokens.transactions(ann.id, type=TransactionFilter.REFUND, page=PageRequest())
    assert sorted(
        (line.type, line.direction, line.amount, line.bonus_tokens, line.total_price) for line in page.rows
    ) == [
        ("refund", "out", 30, 0, 3_000),
        ("refund", "out", 70, 0, 7_000),
    ]
    assert {line.related_purchase for line in page.rows} == {RelatedPurchase(purchase.order_id)}
    assert await sound(world)


async def test_missing_tokens_become_a_debt(world: World, style: Style) -> None:
    ann = await world.user("ann", tokens=10)
    purchase = await world.buy(ann, 100)
    for _ in range(2):
        await world.image(ann, style)

    await charge_back(world, purchase)

    assert await owned(world, ann) == (0, 0, 50)
    assert await sound(world)


async def test_voided_holds_pay_the_debt(world: World, style: Style) -> None:
    ann = await world.user("ann", tokens=10)
    purchase = await world.buy(ann, 100)
    queued, completed = await world.generation(ann, style), await world.generation(ann, style)

    await charge_back(world, purchase)
    assert await owned(world, ann) == (0, 0, 50)
    assert await sound(world)
    await world.use_case(CancelGeneration)(ann.id, queued.id)
    assert await owned(world, ann) == (0, 0, 20)
    async with world.block() as scope:
        at = world.clock.now()
        await scope.generations.save(completed.complete(at=at, result_key="generations/x.png", metadata={}))
        await scope.ledger.post(completed.hold_id, at=at)

    assert await owned(world, ann) == (0, 0, 20)
    assert (await world.balance(style.artist_id)).maturing_tokens == 20
    assert await sound(world)


async def test_a_debt_prevents_spending_until_paid(world: World, style: Style) -> None:
    ann = await world.user("ann")
    purchase = await world.buy(ann, 30)
    await world.image(ann, style)
    await charge_back(world, purchase)
    async with world.block() as scope:
        await scope.ledger.transfer(
            Transfer("gift", TransferKind.BONUS, ISSUANCE, wallet(ann.id), 50, world.clock.now())
        )
    assert await owned(world, ann) == (50, 50, 30)
    with pytest.raises(DebtOutstanding):
        await world.generation(ann, style)

    await world.buy(ann, 20)
    assert await owned(world, ann) == (50, 50, 10)
    with pytest.raises(DebtOutstanding):
        await world.generation(ann, style)
    await world.buy(ann, 20)

    assert await owned(world, ann) == (60, 50, 0)
    await world.generation(ann, style)
    assert await sound(world)


async def test_a_debt_prevents_settling_a_withdrawal(world: World, style: Style) -> None:
    mia, eve = await world.artist("max"), await world.user("eve")
    await world.earn(mia, 60)
    purchase = await world.buy(mia, 30)
    withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 20)
    await world.image(mia, style)

    await charge_back(world, purchase)

    with pytest.raises(DebtOutstanding):
        await world.use_case(SettleWithdrawal)(Operator(eve.id), withdrawal.id)
    assert (await world.read.withdrawals.sources(withdrawal.id)).debt_tokens == 30
    await world.use_case(ForgiveDebt)(Operator(eve.id), mia.id, reason="A stolen card.")
    await world.use_case(SettleWithdrawal)(Operator(eve.id), withdrawal.id)
    await world.use_case(RequestWithdrawal)(mia.id, 20)
    assert await sound(world)


async def test_a_debt_prevents_new_withdrawals(world: World, style: Style) -> None:
    mia = await world.artist("max")
    await world.earn(mia, 60)
    purchase = await world.buy(mia, 30)
    await world.image(mia, style)
    await charge_back(world, purchase)

    with pytest.raises(DebtOutstanding):
        await world.use_case(RequestWithdrawal)(mia.id, 20)
    assert await sound(world)


async def test_an_admin_can_forgive_a_debt(world: World, style: Style) -> None:
    ann, eve = await world.user("ann"), await world.user("eve")
    purchase = await world.buy(ann, 30)
    await world.image(ann, style)
    await charge_back(world, purchase)
    world.clock.advance(timedelta(minutes=1))
    with pytest.raises(ValidationError):
        await world.use_case(ForgiveDebt)(Operator(eve.id), ann.id, reason=" ")

    await world.use_case(ForgiveDebt)(Operator(eve.id), ann.id, reason="A stolen card.")

    assert await owned(world, ann) == (0, 0, 0)
    with pytest.raises(NoDebt):
        await world.use_case(ForgiveDebt)(Operator(eve.id), ann.id, reason="Again.")
    page = await world.read.tokens.transactions(ann.id, type=TransactionFilter.REFUND, page=PageRequest())
    assert [(line.direction, line.amount, line.memo) for line in page.rows] == [
        ("in", 30, "A stolen card."),
        ("out", 30, None),
    ]
    [line] = (await world.read.audit.list(page=PageRequest())).rows
    assert (line.action, line.target_id, line.before, line.reason) == (
        "debt.forgiven",
        str(ann.id),
        {"debt_tokens": 30},
        "A stolen card.",
    )
    assert await sound(world)


async def test_forgiving_more_than_the_debt_is_refused(world: World, style: Style) -> None:
    ann = await world.user("ann")
    purchase = await world.buy(ann, 30)
    await world.image(ann, style)
    await charge_back(world, purchase)

    with pytest.raises(InsufficientTokens) as refused:
        async with world.block() as scope:
            await scope.ledger.transfer(
                Transfer("x", TransferKind.FORGIVENESS, ISSUANCE, wallet(ann.id), 31, world.clock.now())
            )
    assert refused.value.details == {"required": 31, "available": 30}
    assert await owned(world, ann) == (0, 0, 30)
    async with world.block() as scope:
        assert await scope.ledger.debt(await world.ids.user()) == 0


async def test_a_generation_request_races_with_a_charge_back(world: World, style: Style, sent: bool) -> None:
    """The tokens are spent or taken back: not both, and not neither."""
    ann = await world.user("ann")
    purchase = await world.buy(ann, 30)
    world.payments.refund(purchase.order_id, left=0)
    generation = await world.unsaved_generation(ann, style)

    async def request(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(generation))
        await ports.generations.add(generation)

    ended = await race(world, await taking_back(world, purchase), request, sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, InsufficientTokens)
    assert await owned(world, ann) == (0, 0, 0)
    assert await sound(world)
