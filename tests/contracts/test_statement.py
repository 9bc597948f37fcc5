"""A month's statement agrees with the ledger."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from core.audit.model import Operator
from core.errors import ValidationError
from core.paging import PageRequest
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.refund_purchase import RefundPurchase
from core.purchases.request_refund import RequestRefund
from core.tokens.export_statement import ExportStatement
from core.tokens.model import PayoutTerms
from core.tokens.statement import Holding, Month, Movement, Statement, month_of
from tests.contracts.test_books import play
from tests.support.world import World

JANUARY, FEBRUARY = month_of("2026-01"), month_of("2026-02")
AHEAD = timedelta(days=40)
DEBITED = {
    **dict.fromkeys(("bonus", "purchase", "forgiveness"), "issuance"),
    **dict.fromkeys(("generation", "taken_bonus", "charge_back", "refund"), "wallet"),
    **dict.fromkeys(("fee", "withdrawal"), "earnings"),
}
CREDITED = {
    **dict.fromkeys(("bonus", "purchase", "forgiveness"), "wallet"),
    **dict.fromkeys(("taken_bonus", "charge_back", "refund", "withdrawal"), "issuance"),
    "generation": "earnings",
    "fee": "fees",
}


async def statement(world: World, month: Month, terms: PayoutTerms | None = None) -> Statement:
    return await world.books.statement(month, matured_before=(terms or world.payouts).earned_until(month.until))


async def test_a_statement_covers_all_transfers(world: World) -> None:
    await play(world)

    assert await statement(world, JANUARY) == Statement(
        JANUARY,
        [
            Movement("bonus", None, 1, 40, 0, None),
            Movement("charge_back", "KRW", 2, 110, 110, 11_000),
            Movement("fee", None, 3, 9, 5, None),
            Movement("generation", None, 3, 90, 50, None),
            Movement("purchase", "KRW", 4, 400, 400, 40_000),
            Movement("refund", "KRW", 1, 100, 100, 10_000),
            Movement("withdrawal", None, 1, 10, 10, None),
        ],
        [
            Holding("wallet", 140, 140, None),
            Holding("earnings", 71, 35, 35),
            Holding("issuance", -220, -180, None),
            Holding("fees", 9, 5, None),
        ],
    )


async def test_refunds_count_in_the_month_of_the_repayment(world: World) -> None:
    world.clock.advance(timedelta(days=30))
    ann = await world.user("ann")
    first, second, third = [await world.buy(ann, 100) for _ in range(3)]
    await world.use_case(RequestRefund)(ann.id, first.order_id)
    await world.use_case(CarryOutRefunds)()
    world.payments.refuse_to_refund(second.order_id)
    await world.use_case(RequestRefund)(ann.id, second.order_id)
    await world.use_case(RefundPurchase)(Operator(None), third.order_id, tokens=30, reason="Sorry.")
    january = await statement(world, JANUARY)
    assert january.movements == [
        Movement("purchase", "KRW", 3, 300, 300, 30_000),
        Movement("refund", "KRW", 1, 100, 100, 10_000),
    ]
    assert january.holdings[0] == Holding("wallet", 200, 200, None)

    world.clock.advance(timedelta(days=2))
    await world.use_case(CarryOutRefunds)()

    assert await statement(world, JANUARY) == january
    february = await statement(world, FEBRUARY)
    assert february.movements == [Movement("refund", "KRW", 1, 30, 30, 3_000)]
    assert february.holdings[0] == Holding("wallet", 170, 170, None)


async def test_late_earnings_are_maturing_at_the_end_of_the_month(world: World) -> None:
    await play(world)

    found = await statement(world, JANUARY, PayoutTerms(timedelta(days=31), minimum=1))

    assert [holding.matured_tokens for holding in found.holdings if holding.account == "earnings"] == [-10]


async def test_each_month_continues_the_previous_one(world: World) -> None:
    mia = await play(world)
    january = await statement(world, JANUARY)
    world.clock.advance(AHEAD)
    await world.earn(mia, 50)
    await world.buy(mia, 20)

    assert await statement(world, JANUARY) == january
    february = await statement(world, FEBRUARY)

    assert [(row.kind, row.tokens) for row in february.movements] == [
        ("fee", 5),
        ("generation", 50),
        ("purchase", 70),
    ]
    moved: Counter[str] = Counter()
    for row in february.movements:
        moved[DEBITED[row.kind]] -= row.tokens
        moved[CREDITED[row.kind]] += row.tokens
    before = {holding.account: holding.tokens for holding in january.holdings}
    after = {holding.account: holding.tokens for holding in february.holdings}
    assert after == {account: tokens + moved[account] for account, tokens in before.items()}
    assert sum(after.values()) == 0
    assert after["earnings"] == 71 + 45


async def test_a_statement_agrees_with_the_balances(world: World) -> None:
    mia = await play(world)
    await world.earn(mia, 50)
    await world.image(await world.artist("zoe", bought=30), await world.style(await world.artist("max")))
    found = {holding.account: holding for holding in (await statement(world, JANUARY)).holdings}

    balance = await world.balance(mia.id)

    assert balance.earned_token_balance is not None
    assert balance.withdrawable_tokens is not None
    assert found["earnings"].tokens == balance.earned_token_balance + 10 + 27  # on hold, and of another artist
    assert found["earnings"].matured_tokens == balance.withdrawable_tokens + 10 + 27


async def test_a_month_without_transfers_is_empty(world: World) -> None:
    assert await statement(world, FEBRUARY) == Statement(
        FEBRUARY,
        [],
        [
            Holding("wallet", 0, 0, None),
            Holding("earnings", 0, 0, 0),
            Holding("issuance", 0, 0, None),
            Holding("fees", 0, 0, None),
        ],
    )


def test_a_month_begins_and_ends_at_midnight() -> None:
    assert month_of("2026-12") == Month(datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-00", "0000-01", "9999-12", "2026-1", "x2026-01"])
def test_an_invalid_month_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        month_of(text)


async def test_an_export_leaves_a_line(world: World) -> None:
    asked = f"{world.clock.now():%Y-%m}"
    found = await world.use_case(ExportStatement)(Operator(None), asked)

    matured_before = world.payouts.earned_until(world.clock.now())
    assert found == await world.books.statement(month_of(asked), matured_before=matured_before)
    [line] = (await world.read.audit.list(page=PageRequest())).rows
    assert (line.action, line.target_type, line.target_id) == ("statement.exported", "statement", asked)


async def test_a_refused_export_leaves_no_line(world: World) -> None:
    with pytest.raises(ValidationError):
        await world.use_case(ExportStatement)(Operator(None), "2026-13")
    assert (await world.read.audit.list(page=PageRequest())).rows == []
