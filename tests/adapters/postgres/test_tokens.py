"""What the database does and the contract cannot see: balance deltas and their roll-up."""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from adapters.postgres.pool import Pool
from core.accounts.model import User
from core.audit.model import Operator
from core.generations.model import Generation
from core.tokens.errors import InsufficientTokens
from core.withdrawals.errors import WithdrawalPending
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.contracts.postgres_world import PostgresWorld
from tests.contracts.test_books import play

BALANCES = """
SELECT kind, owner_id, held,
    balance + (SELECT coalesce(sum(amount), 0) FROM balance_deltas WHERE account_id = accounts.id) AS balance,
    (
        SELECT coalesce(sum(CASE accounts.id WHEN credit_account_id THEN amount ELSE -amount END), 0) FROM transfers
        WHERE accounts.id IN (debit_account_id, credit_account_id) AND phase IN ('post', 'single')
    ) AS moved
FROM accounts ORDER BY id
"""

FEE = """
INSERT INTO transfers
    (phase, reference, kind, debit_account_id, credit_account_id, amount, paid, generation_id, created_at)
SELECT 'single', 'fee:' || reference, 'fee', credit_account_id, fees.id, {amount}, 0, generation_id, now()
FROM transfers, accounts fees WHERE phase = 'post' AND fees.kind = 'fees'
"""

RESOLVE = """
INSERT INTO transfers
    (phase, hold_id, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
SELECT 'void', id, {reference}, {kind}, {debit_account_id}, {credit_account_id}, {amount}, {generation_id}, created_at
FROM transfers WHERE phase = '{phase}'
"""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE transfers SET amount = 1",
        "DELETE FROM transfers",
        "TRUNCATE transfers CASCADE",
    ],
)
async def test_history_is_append_only(world: PostgresWorld, sql: "asyncpg.Connection[Any]", change: str) -> None:
    await world.user("ann", tokens=5)

    with pytest.raises(asyncpg.RestrictViolationError, match="transfers is append-only"):
        await sql.execute(change)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"reference": "'another'"},
        {"kind": "'withdrawal'"},
        {"generation_id": "NULL"},
        {"amount": "amount + 1"},
        {"debit_account_id": "(SELECT id FROM accounts WHERE kind = 'fees')"},
        {"credit_account_id": "(SELECT id FROM accounts WHERE kind = 'fees')"},
        {"phase": "single"},
    ],
    ids=lambda otherwise: next(iter(otherwise)),
)
async def test_only_a_hold_is_resolved_with_its_own_terms(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]", otherwise: dict[str, str]
) -> None:
    ann = await world.user("ann", tokens=30)
    await world.generation(ann, await world.style(await world.artist("mia")))
    columns = ("reference", "kind", "debit_account_id", "credit_account_id", "amount", "generation_id")
    as_held = {column: column for column in columns} | {"phase": "hold"}

    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await sql.execute(RESOLVE.format_map(as_held | otherwise))
    assert refused.value.constraint_name == "transfers_resolve_as_held"

    async with sql.transaction():
        await sql.execute(RESOLVE.format_map(as_held))
        await sql.execute("UPDATE generations SET status = 'cancelled', ended_at = created_at")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET balance = balance + 1",
        "UPDATE accounts SET held = 0",
        "UPDATE accounts SET owner_id = owner_id",
        "INSERT INTO accounts (kind, owner_id, balance) SELECT 'earnings', id, 1 FROM users",
        "UPDATE accounts SET paid = balance",
        "UPDATE accounts SET debt = 1",
        "INSERT INTO balance_deltas SELECT id, 4711, 1, 0 FROM accounts",
        "UPDATE balance_deltas SET amount = amount + 1",
        "TRUNCATE balance_deltas",
    ],
)
async def test_no_balance_changes_without_a_transfer(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]", change: str
) -> None:
    await world.user("ann", tokens=5)

    with pytest.raises(asyncpg.RestrictViolationError, match=r"(accounts|balance_deltas) change by transfers only"):
        await sql.execute(change)


async def test_every_transfer_changes_its_balances(world: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    ann = await world.user("ann", tokens=5)

    await sql.execute(
        "INSERT INTO transfers (phase, reference, kind, debit_account_id, credit_account_id, amount, paid, created_at)"
        " SELECT 'single', 'by hand', 'bonus', platform.id, wallet.id, 3, 0, now()"
        " FROM accounts platform, accounts wallet WHERE platform.kind = 'issuance' AND wallet.kind = 'wallet'"
    )

    assert (await world.funds(ann.id)).token_balance == 8
    assert all(row["balance"] == row["moved"] for row in await sql.fetch(BALANCES))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE generations SET consumed_tokens = consumed_tokens + 1", "generations_held_as_priced"),
        ("UPDATE generations SET hold_id = hold_id + 1", "generations_held_as_priced"),
        ("UPDATE generations SET fee_tokens = 1 WHERE status = 'completed'", "generations_completed_as_charged"),
        (FEE.format(amount=1), "transfers_charge_as_completed"),
        (FEE.format(amount=31), "transfers_charge_as_completed"),
        (
            "UPDATE withdrawals SET status = 'settled', ended_at = now(), ended_by = 0",
            "withdrawals_withdrawn_as_held",
        ),
        (
            "UPDATE withdrawals SET status = 'rejected', reason = 'x', ended_at = now(), ended_by = 0",
            "withdrawals_withdrawn_as_held",
        ),
    ],
    ids=str,
)
async def test_transfers_match_the_state_of_their_cause(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]", change: str, rule: str
) -> None:
    mia = await an_artist_who_earned(world, images=1)
    await world.use_case(RequestWithdrawal)(mia.id, 10)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await sql.execute(change)
    assert refused.value.constraint_name == rule


async def test_every_transfer_changes_balances_by_its_amount(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    await play(world)

    rows = await sql.fetch(BALANCES)
    assert [row["balance"] for row in rows] == [row["moved"] for row in rows]
    assert {(row["kind"], row["balance"], row["held"]) for row in rows} == {
        ("issuance", -220, 0),  # 40 given, 400 sold, 110 charged back, 100 refunded, 10 withdrawn
        ("fees", 9, 0),
        ("wallet", 0, 0),
        ("earnings", 71, 10),
        ("wallet", 140, 130),
    }
    await roll_up(world)
    assert await sql.fetch(BALANCES) == rows


async def test_rolling_up_changes_no_balance(world: PostgresWorld, pool: Pool, sql: "asyncpg.Connection[Any]") -> None:
    mia = await an_artist_who_earned(world, images=3)
    before = await sql.fetch(BALANCES)
    assert await sql.fetchval("SELECT count(*) FROM balance_deltas") > 0

    for _ in range(2):
        await roll_up(world)

        assert await sql.fetch(BALANCES) == before
        assert await sql.fetchval("SELECT count(*) FROM balance_deltas") == 0
        assert await sql.fetchval("SELECT balance FROM accounts WHERE kind = 'earnings'") == 90
        assert (await world.funds(mia.id)).earned_token_balance == 90


async def test_appended_earnings_can_be_spent_exactly(world: PostgresWorld) -> None:
    mia = await an_artist_who_earned(world, images=3)

    with pytest.raises(InsufficientTokens) as refused:
        await withdraw(world, mia, 91)
    assert refused.value.details == {"required": 91, "available": 90}

    await withdraw(world, mia, 90)
    assert (await world.funds(mia.id)).earned_token_balance == 0


async def test_withdrawing_earning_and_rolling_up_race(
    world: PostgresWorld, pool: Pool, sql: "asyncpg.Connection[Any]"
) -> None:
    mia = await an_artist_who_earned(world, images=5)
    style = await world.style(mia, "Oil")
    ann = await world.user("zoe", bought=300)
    images = [await world.generation(ann, style) for _ in range(5)]
    eve = await world.user("eve")
    world.clock.advance()

    async def earn(image: Generation) -> None:
        scope = world.scope()
        async with scope.transaction:
            at = image.created_at
            key = f"generations/gen-{image.id}.png"
            await scope.generations.save(image.complete(at=at, result_key=key, metadata={}))
            await scope.ledger.post(image.hold_id, at=at)

    async def withdraw_and_settle() -> None:
        while True:
            with suppress(WithdrawalPending):
                requested = await world.use_case(RequestWithdrawal)(mia.id, 30)
                await world.use_case(SettleWithdrawal)(Operator(eve.id), requested.id)
                return

    ended = await asyncio.gather(
        *(withdraw_and_settle() for _ in range(12)),
        *(earn(image) for image in images),
        *(roll_up(world) for _ in range(6)),
        return_exceptions=True,
    )

    errors = [error for error in ended if error is not None]
    assert all(isinstance(error, InsufficientTokens) for error in errors)
    withdrawn = 12 - len(errors)
    assert 5 <= withdrawn <= 10
    assert (await world.funds(mia.id)).earned_token_balance == (10 - withdrawn) * 30
    assert all(row["balance"] == row["moved"] for row in await sql.fetch(BALANCES))


async def test_a_withdrawal_waits_for_a_roll_up_without_deadlock(
    world: PostgresWorld, pool: Pool, sql: "asyncpg.Connection[Any]"
) -> None:
    """Both take the account first and what was appended to it second."""
    mia = await an_artist_who_earned(world, images=3)

    async with sql.transaction():
        await sql.execute("SELECT FROM accounts WHERE kind = 'earnings' FOR NO KEY UPDATE")
        withdrawing = asyncio.create_task(withdraw(world, mia, 90))
        while not (withdrawing.done() or await world.lock_is_awaited()):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await sql.execute("SELECT FROM balance_deltas FOR UPDATE NOWAIT")

    await withdrawing
    assert (await world.funds(mia.id)).earned_token_balance == 0


GIFTS = """
INSERT INTO transfers (phase, reference, kind, debit_account_id, credit_account_id, amount, paid, created_at)
SELECT 'single', 'gift:' || number, 'bonus', platform.id, wallet.id, number, 0, now()
FROM accounts platform, accounts wallet, generate_series(1, 3) number
WHERE platform.kind = 'issuance' AND wallet.kind = 'wallet' ORDER BY wallet.id DESC
"""


async def test_one_statement_may_make_several_transfers(world: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    await world.user("ann", tokens=5)

    assert await sql.execute(GIFTS) == "INSERT 0 3"

    rows = {row["kind"]: row for row in await sql.fetch(BALANCES)}
    assert (rows["wallet"]["balance"], rows["issuance"]["balance"]) == (11, -11)
    assert all(row["balance"] == row["moved"] for row in rows.values())


async def test_accounts_are_locked_in_the_order_of_their_ids(
    world: PostgresWorld, pool: Pool, sql: "asyncpg.Connection[Any]"
) -> None:
    """So that two statements with several transfers never wait for each other."""
    await sql.execute(
        "INSERT INTO accounts (kind, owner_id) SELECT 'wallet', number FROM generate_series(1, 20) number"
    )
    gifts = GIFTS.replace("'gift:' || number", "concat('gift:', number, '/', wallet.id)")
    first = await sql.fetchval("SELECT min(id) FROM accounts WHERE kind = 'wallet'")

    async with sql.transaction():
        await sql.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", first)
        giving = asyncio.create_task(pool.fetch(gifts))
        while not (giving.done() or await world.lock_is_awaited()):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await sql.execute("SELECT FROM accounts WHERE kind = 'wallet' FOR NO KEY UPDATE NOWAIT")

    await giving
    assert all(row["balance"] == row["moved"] for row in await sql.fetch(BALANCES))


async def roll_up(world: PostgresWorld) -> None:
    while await world.maintenance.roll_up_balances(limit=1000):
        pass


async def an_artist_who_earned(world: PostgresWorld, *, images: int) -> User:
    mia = await world.artist("mia")
    style = await world.style(mia)
    ann = await world.user("ann", bought=1000)
    for _ in range(images):
        await world.image(ann, style)
    world.clock.advance()
    return mia


async def withdraw(world: PostgresWorld, artist: User, tokens: int) -> None:
    await world.use_case(RequestWithdrawal)(artist.id, tokens)
