import itertools
from contextlib import suppress

import pytest

from core.identifiers import HoldId, OrderId, UserId
from core.tokens.model import (
    ISSUANCE,
    MAX_AMOUNT,
    MONEY,
    Account,
    AccountKind,
    Hold,
    Sale,
    Transfer,
    TransferKind,
    earnings,
    wallet,
    welcome_bonus,
)
from tests.support.memory_world import MemoryWorld

OWNED = {AccountKind.WALLET, AccountKind.EARNINGS}


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1])
def test_a_transfer_has_a_positive_bounded_amount(world: MemoryWorld, amount: int) -> None:
    ann, now = UserId(1), world.clock.now()

    with pytest.raises(ValueError, match="a movement of"):
        Transfer("x", TransferKind.BONUS, ISSUANCE, wallet(ann), amount, now)
    with pytest.raises(ValueError, match="a movement of"):
        Hold(HoldId(1), "x", TransferKind.GENERATION, wallet(ann), earnings(ann), amount, now)


@pytest.mark.parametrize("amount", [1, MAX_AMOUNT])
def test_the_largest_and_smallest_amounts_are_accepted(world: MemoryWorld, amount: int) -> None:
    assert Transfer("x", TransferKind.BONUS, ISSUANCE, wallet(UserId(1)), amount, world.clock.now()).amount == amount


def test_each_kind_of_transfer_has_its_accounts_and_phases(world: MemoryWorld) -> None:
    ann, now, sale = UserId(1), world.clock.now(), Sale(OrderId("1"), 100, 10_000, "KRW")
    accounts = {kind: Account(kind, ann if kind in OWNED else None) for kind in AccountKind}
    made = set()
    for kind, debit, credit in itertools.product(TransferKind, AccountKind, AccountKind):
        ways = accounts[debit], accounts[credit]
        with suppress(ValueError):
            Transfer("x", kind, *ways, 1, now, sale=sale if kind in MONEY else None)
            made.add(("at once", kind, debit, credit))
        with suppress(ValueError):
            Hold(HoldId(1), "x", kind, *ways, 1, now, sale=sale if kind in MONEY else None)
            made.add(("held", kind, debit, credit))

    assert made == {
        ("at once", TransferKind.BONUS, AccountKind.ISSUANCE, AccountKind.WALLET),
        ("at once", TransferKind.PURCHASE, AccountKind.ISSUANCE, AccountKind.WALLET),
        ("at once", TransferKind.TAKEN_BONUS, AccountKind.WALLET, AccountKind.ISSUANCE),
        ("at once", TransferKind.CHARGE_BACK, AccountKind.WALLET, AccountKind.ISSUANCE),
        ("at once", TransferKind.FORGIVENESS, AccountKind.ISSUANCE, AccountKind.WALLET),
        ("held", TransferKind.GENERATION, AccountKind.WALLET, AccountKind.EARNINGS),
        ("held", TransferKind.WITHDRAWAL, AccountKind.EARNINGS, AccountKind.ISSUANCE),
        ("held", TransferKind.REFUND, AccountKind.WALLET, AccountKind.ISSUANCE),
    }


def test_only_sales_have_an_amount_of_money(world: MemoryWorld) -> None:
    account, now, sale = wallet(UserId(1)), world.clock.now(), Sale(OrderId("1"), 100, 10_000, "KRW")

    assert Transfer("x", TransferKind.PURCHASE, ISSUANCE, account, 100, now, sale=sale).sale == sale
    with pytest.raises(ValueError, match="have an amount of money"):
        Transfer("x", TransferKind.PURCHASE, ISSUANCE, account, 100, now)
    with pytest.raises(ValueError, match="have an amount of money"):
        Transfer("x", TransferKind.BONUS, ISSUANCE, account, 100, now, sale=sale)
    with pytest.raises(ValueError, match="have an amount of money"):
        Hold(HoldId(1), "x", TransferKind.REFUND, account, ISSUANCE, 100, now)


def test_a_welcome_transfer_is_deterministic(world: MemoryWorld) -> None:
    one, other = [welcome_bonus(UserId(7), at=at) for at in (world.clock.now(), world.clock.advance())]

    assert one.reference == other.reference == "welcome:7"
    assert one.amount == 100
