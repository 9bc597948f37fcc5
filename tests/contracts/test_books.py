from core.accounts.model import User
from core.audit.model import Operator
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.check_purchase import CheckPurchase
from core.purchases.request_refund import RequestRefund
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.tokens.model import PlatformFee
from core.tokens.reconcile import Reconcile
from core.tokens.reconciliation import Finding, Invariant, Reconciliation
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.support.world import World


async def play(world: World) -> User:
    """One of everything that moves tokens; answers the artist.

    Of three images the first is paid with bonus tokens, the second with ten of them and bought ones. A tenth of the
    purchase is charged back. Three more are refunded: one completely, one is refused and charged back, one waits.
    """
    world.fee = PlatformFee(10)
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=40)
    style = await world.style(mia)
    started = await world.use_case(StartPurchase)(ann.id, "basic_100")
    payment_key = world.payments.agree(started.order_id)
    await world.use_case(SettlePurchase)(started.order_id, payment_key=payment_key, amount=started.total_price)
    await world.use_case(StartPurchase)(ann.id, "basic_100")
    for _ in range(3):
        await world.image(ann, style)
    await world.failed_generation(ann, style)
    await world.generation(ann, style)
    world.clock.advance()
    for end in (SettleWithdrawal, RejectWithdrawal, None):
        withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 10)
        if end is SettleWithdrawal:
            await world.use_case(SettleWithdrawal)(Operator(ann.id), withdrawal.id)
        if end is RejectWithdrawal:
            await world.use_case(RejectWithdrawal)(Operator(ann.id), withdrawal.id, reason="No.")
    world.payments.refund(started.order_id, left=9_000)
    await world.use_case(CheckPurchase)(started.order_id, payment_key=payment_key)
    given_back, refused, waiting = [await world.buy(ann, 100) for _ in range(3)]
    world.payments.refuse_to_refund(refused.order_id)
    for purchase in (given_back, refused):
        await world.use_case(RequestRefund)(ann.id, purchase.order_id)
    await world.use_case(CarryOutRefunds)()
    world.payments.refund(refused.order_id, left=0)
    await world.use_case(CheckPurchase)(refused.order_id, payment_key=refused.payment_key)
    await world.use_case(RequestRefund)(ann.id, waiting.order_id)
    return mia


async def test_a_correct_ledger_reconciles(world: World) -> None:
    await play(world)

    findings = {finding.invariant: finding for finding in await world.books.examine()}

    assert list(findings) == list(Invariant)
    assert {finding.broken for finding in findings.values()} == {0}
    assert {finding.first for finding in findings.values()} == {None}
    assert {invariant.name: finding.checked for invariant, finding in findings.items()} == {
        "SOLVENT": 3,
        "BALANCES": 5,
        "HELD": 5,
        "ZERO_SUM": 1,
        "SOURCES": 34,
        "REFERENCES": 21,
        "RESOLUTIONS": 8,
        "OPEN_HOLDS": 3,
        "GENERATIONS_HELD": 5,
        "GENERATIONS_SETTLED": 5,
        "FEES": 3,
        "PURCHASES": 5,
        "CHARGE_BACKS": 3,
        "REFUNDS": 3,
        "DEBTS": 0,
        "WITHDRAWALS": 3,
        "PAYOUTS": 2,
    }


async def test_the_last_reconciliation_is_stored(world: World) -> None:
    assert await world.books.last() is None
    first = await world.use_case(Reconcile)()
    assert first.sound
    world.clock.advance()
    await play(world)

    second = await world.use_case(Reconcile)()

    assert second.at == world.clock.now()
    assert await world.books.last() == second != first


async def test_a_violation_is_stored_with_its_first_row(world: World) -> None:
    broken = Finding(Invariant.SOLVENT, 7, 2, {"id": 1, "balance": -3, "owner_id": None})
    reconciliation = Reconciliation(world.clock.now(), [broken])
    assert not reconciliation.sound

    await world.books.keep(reconciliation)

    assert await world.books.last() == reconciliation
