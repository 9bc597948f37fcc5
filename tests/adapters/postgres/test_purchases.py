"""Constraints of purchases, which the database keeps for every writer."""

from typing import Any

import asyncpg
import msgspec
import pytest

from core.identifiers import OrderId
from core.purchases.model import Purchase, PurchaseStatus, new_purchase
from core.purchases.packages import package_of
from tests.contracts.overlap import commit
from tests.contracts.postgres_world import PostgresWorld
from tests.support.scope import Scope


def refunding(**otherwise: str) -> str:
    columns = {
        "status": "'refunding'",
        "ended_at": "created_at",
        "payment_key": "'key'",
        "refund_hold_id": "1",
        "refund_tokens": "1",
        "refund_price": "100",
        "refund_reason": "'x'",
    }
    return ", ".join(f"{column} = {value}" for column, value in (columns | otherwise).items())


async def pending(world: PostgresWorld) -> Purchase:
    ann = await world.user("ann")
    purchase = new_purchase(OrderId("order-1"), ann.id, package_of("basic_100"), at=world.clock.now())
    await commit(world, lambda ports: ports.purchases.add(purchase))
    return purchase


def as_paid(purchase: Purchase) -> Purchase:
    return msgspec.structs.replace(
        purchase, status=PurchaseStatus.PAID, payment_key="key", ended_at=purchase.created_at
    )


async def pay(world: PostgresWorld, purchase: Purchase, *, amount: int = 100) -> None:
    paid = as_paid(purchase)

    async def work(ports: Scope) -> None:
        await ports.purchases.save(paid)
        await ports.ledger.transfer(msgspec.structs.replace(paid.credit(), amount=amount))

    await commit(world, work)


async def test_a_paid_purchase_is_credited_in_the_same_transaction(world: PostgresWorld) -> None:
    purchase = await pending(world)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="was paid and is not credited"):
        await commit(world, lambda ports: ports.purchases.save(as_paid(purchase)))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="was paid and is not credited"):
        await pay(world, purchase, amount=99)

    await pay(world, purchase)
    assert (await world.funds(purchase.user_id)).token_balance == 100


async def test_a_credit_requires_a_paid_purchase(world: PostgresWorld) -> None:
    purchase = await pending(world)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="is credited and was not paid"):
        await commit(world, lambda ports: ports.ledger.transfer(as_paid(purchase).credit()))

    assert (await world.funds(purchase.user_id)).token_balance == 0


async def test_a_credit_goes_to_the_buyer(world: PostgresWorld) -> None:
    purchase, bob = await pending(world), await world.user("bob")
    paid = as_paid(purchase)

    async def work(ports: Scope) -> None:
        await ports.purchases.save(paid)
        await ports.ledger.transfer(msgspec.structs.replace(paid, user_id=bob.id).credit())

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="was paid and is not credited"):
        await commit(world, work)


async def test_a_paid_purchase_is_immutable(world: PostgresWorld) -> None:
    purchase = await pending(world)
    await pay(world, purchase)

    with pytest.raises(asyncpg.RestrictViolationError, match="purchases is append-only"):
        await commit(world, lambda ports: ports.purchases.save(purchase))

    await commit(world, lambda ports: ports.purchases.save(as_paid(purchase)))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("status = 'given', ended_at = created_at", "ck_purchases_status"),
        ("status = 'refunded', ended_at = created_at, payment_key = 'key'", "ck_purchases_refunded"),
        ("refunded_price = 90, refunded_tokens = 1", "ck_purchases_refunded"),
        ("status = 'expired'", "ck_purchases_ended"),
        ("ended_at = created_at", "ck_purchases_ended"),
        ("status = 'paid', ended_at = created_at", "ck_purchases_payment"),
        ("payment_key = 'key'", "ck_purchases_payment"),
        ("status = 'failed', ended_at = created_at, payment_key = 'key'", "ck_purchases_failure"),
        ("failure_code = 'X'", "ck_purchases_failure"),
        ("amount_tokens = 0", "ck_purchases_terms"),
        ("total_price = -1", "ck_purchases_terms"),
        ("total_price = total_price + 1", "ck_purchases_terms"),
        ("refund_hold_id = 1", "ck_purchases_refund"),
        ("refund_reason = 'x'", "ck_purchases_refund"),
        (refunding(refund_failure_code="'X'", refund_failure_message="'x'"), "ck_purchases_refund"),
        (refunding(status="'failed'", failure_code="'X'", failure_message="'x'"), "ck_purchases_refund"),
        (refunding(refund_price="total_price + 1"), "ck_purchases_refund"),
        (refunding(refund_tokens="0"), "ck_purchases_refund"),
        (refunding(refund_tokens="NULL"), "ck_purchases_refund"),
        (refunding(refund_reason="NULL"), "ck_purchases_refund"),
        (refunding(status="'paid'", refund_failure_code="'X'"), "ck_purchases_refund"),
    ],
)
async def test_inconsistent_purchases_are_refused(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]", change: str, rule: str
) -> None:
    await pending(world)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=rule):
        await sql.execute(f"UPDATE purchases SET {change}")
