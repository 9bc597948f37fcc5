"""Each invariant is broken by hand, with all constraints switched off; `reconcile` finds it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from adapters.postgres import books
from adapters.postgres.books import ROWS
from adapters.postgres.pool import create_pool
from core.tokens.reconciliation import Invariant
from tests.contracts.postgres_world import PostgresWorld
from tests.contracts.test_books import play

COPY = """
INSERT INTO transfers (phase, reference, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id,
    order_id, price_per_token, total_price, currency_code, created_at)
SELECT phase, {reference}, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id,
    order_id, price_per_token, total_price, currency_code, created_at
FROM transfers WHERE {which} LIMIT 1
"""

BREAKS: dict[Invariant, list[str]] = {
    Invariant.SOLVENT: [
        "UPDATE accounts SET held = balance + 1 WHERE kind = 'wallet'",
        "UPDATE accounts SET balance = -1000 WHERE kind = 'earnings'",
    ],
    Invariant.BALANCES: [
        "UPDATE accounts SET balance = balance + 1 WHERE kind = 'wallet'",
        "UPDATE balance_deltas SET amount = amount + 1",
        "DELETE FROM transfers WHERE kind = 'bonus'",
    ],
    Invariant.HELD: [
        "UPDATE accounts SET held = held + 1 WHERE kind = 'wallet'",
        "DELETE FROM transfers WHERE phase = 'hold' AND kind = 'withdrawal'",
        "DELETE FROM transfers WHERE phase = 'hold' AND kind = 'refund'",
    ],
    Invariant.ZERO_SUM: [
        "UPDATE accounts SET balance = balance + 1 WHERE kind = 'fees'",
        "DELETE FROM balance_deltas WHERE amount > 0",
    ],
    Invariant.SOURCES: [
        "UPDATE accounts SET paid = paid + 1 WHERE kind = 'earnings'",
        "UPDATE accounts SET held_paid = held_paid + 1 WHERE kind = 'earnings'",
        "UPDATE balance_deltas SET paid = paid - 1",
        "UPDATE transfers SET paid = 1 WHERE kind = 'bonus'",
        "UPDATE transfers SET paid = 1 WHERE phase = 'hold' AND kind = 'generation'",
        "UPDATE transfers SET paid = paid + 1 WHERE phase = 'post' AND kind = 'generation'",
        "UPDATE transfers SET paid = NULL WHERE phase = 'post' AND kind = 'withdrawal'",
        "UPDATE transfers SET paid = 0 WHERE phase = 'post' AND kind = 'refund'",
        "UPDATE transfers SET paid = amount WHERE kind = 'fee'",
    ],
    Invariant.REFERENCES: [COPY.format(reference="reference", which="kind = 'bonus'")],
    Invariant.RESOLUTIONS: [
        COPY.format(reference="reference", which="phase = 'post'"),
        "UPDATE transfers SET amount = amount + 1 WHERE phase = 'void'",
        "UPDATE transfers SET credit_account_id = debit_account_id WHERE phase = 'post'",
        "DELETE FROM transfers WHERE phase = 'hold' AND kind = 'generation'",
    ],
    Invariant.OPEN_HOLDS: [
        "DELETE FROM generations WHERE status = 'queued'",
        "DELETE FROM withdrawals WHERE status = 'pending'",
        "UPDATE purchases SET status = 'paid' WHERE status = 'refunding'",
        "DELETE FROM purchases WHERE status = 'refunding'",
        COPY.format(reference="'another'", which="phase = 'hold'"),
    ],
    Invariant.GENERATIONS_HELD: [
        "UPDATE generations SET consumed_tokens = consumed_tokens + 1",
        "UPDATE generations SET owner_id = artist_id WHERE status = 'queued'",
        "UPDATE generations SET hold_id = -hold_id WHERE status = 'queued'",
        COPY.format(reference="'another'", which="phase = 'hold' AND kind = 'generation'"),
        "UPDATE transfers SET generation_id = -1 WHERE phase = 'hold'",
    ],
    Invariant.GENERATIONS_SETTLED: [
        "UPDATE generations SET status = 'failed', fee_tokens = 0, public_key = NULL WHERE status = 'completed'",
        "UPDATE generations SET status = 'completed', result_key = 'x' WHERE status = 'failed'",
        "UPDATE generations SET status = 'queued', ended_at = NULL WHERE status = 'failed'",
        "UPDATE generations SET status = 'cancelled', ended_at = created_at WHERE status = 'queued'",
    ],
    Invariant.FEES: [
        "DELETE FROM transfers WHERE kind = 'fee'",
        "UPDATE transfers SET amount = amount + 1 WHERE kind = 'fee'",
        "UPDATE generations SET fee_tokens = 0",
        "UPDATE transfers SET credit_account_id = (SELECT id FROM accounts WHERE kind = 'issuance') WHERE kind = 'fee'",
    ],
    Invariant.PURCHASES: [
        "DELETE FROM transfers WHERE kind = 'purchase'",
        "UPDATE purchases SET amount_tokens = amount_tokens + 1",
        "UPDATE purchases SET status = 'paid', payment_key = 'x', ended_at = created_at WHERE status = 'pending'",
        COPY.format(reference="'another'", which="kind = 'purchase'"),
        "UPDATE purchases SET status = 'expired', payment_key = NULL WHERE status = 'paid'",
        "UPDATE purchases SET user_id = user_id + 1 WHERE status = 'paid'",
        "DELETE FROM purchases WHERE status = 'paid'",
    ],
    Invariant.CHARGE_BACKS: [
        "UPDATE purchases SET refunded_tokens = refunded_tokens + 1 WHERE refunded_tokens > 0",
        "UPDATE purchases SET refunded_price = 2 * refunded_price WHERE refunded_tokens > 0",
        "UPDATE purchases SET refunded_price = 0, refunded_tokens = 0 WHERE refunded_tokens > 0",
        "DELETE FROM transfers WHERE kind = 'charge_back'",
        "DELETE FROM transfers WHERE kind = 'refund' AND phase = 'post'",
        "UPDATE transfers SET order_id = 'another' WHERE kind = 'charge_back'",
    ],
    Invariant.REFUNDS: [
        "UPDATE purchases SET refund_tokens = refund_tokens + 1",
        "UPDATE purchases SET refund_price = refund_price + 1",
        "UPDATE purchases SET user_id = user_id + 1 WHERE status = 'refunding'",
        "UPDATE purchases SET status = 'paid' WHERE status = 'refunding'",
        "UPDATE purchases SET status = 'refunding' WHERE refund_failure_code IS NULL AND status = 'refunded'",
        "UPDATE purchases SET refund_failure_code = 'X' WHERE refund_failure_code IS NULL",
        "UPDATE purchases SET refund_failure_code = NULL",
        "DELETE FROM transfers WHERE kind = 'refund' AND phase = 'hold'",
        "DELETE FROM transfers WHERE kind = 'refund' AND phase = 'post'",
        "UPDATE transfers SET order_id = 'another' WHERE kind = 'refund' AND phase = 'hold'",
    ],
    Invariant.DEBTS: [
        "UPDATE accounts SET debt = 1 WHERE kind = 'wallet' AND balance > 0",
        "UPDATE accounts SET debt = 1 WHERE kind = 'earnings'",
    ],
    Invariant.WITHDRAWALS: [
        "UPDATE withdrawals SET amount = amount + 1",
        "UPDATE withdrawals SET artist_id = artist_id + 1 WHERE status = 'pending'",
        "UPDATE withdrawals SET status = 'settled', ended_at = created_at, ended_by = 1 WHERE status = 'pending'",
        "UPDATE withdrawals SET status = 'settled', reason = NULL WHERE status = 'rejected'",
        "UPDATE withdrawals SET status = 'rejected', reason = 'x' WHERE status = 'settled'",
        "DELETE FROM transfers WHERE phase = 'hold' AND kind = 'withdrawal'",
    ],
    Invariant.PAYOUTS: [
        "UPDATE withdrawals SET amount = 36 WHERE status = 'settled'",
        "UPDATE withdrawals SET earned_until = (SELECT min(created_at) FROM transfers)",
        "UPDATE transfers SET paid = 0 WHERE phase = 'post' AND kind = 'generation'",
        "UPDATE transfers SET debit_account_id = (SELECT id FROM accounts WHERE kind = 'wallet' AND owner_id ="
        " (SELECT owner_id FROM accounts WHERE kind = 'earnings')) WHERE phase = 'post' AND kind = 'generation'",
    ],
}

CASES = [(invariant, statement) for invariant, statements in BREAKS.items() for statement in statements]


TABLES = ("accounts", "balance_deltas", "transfers", "generations", "purchases", "withdrawals")
UNIQUE = ("uq_transfers_reference", "uq_transfers_hold_id")


@pytest.fixture
async def world(own_database_url: str) -> AsyncIterator[PostgresWorld]:
    """Everything that moves tokens has happened once."""
    async with create_pool(own_database_url) as pool:
        world = PostgresWorld(pool)
        await play(world)
        yield world


@pytest.fixture
async def unconstrained(own_database_url: str, world: PostgresWorld) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """A connection to the world's database, on which no rule is in the way any more."""
    connection = await asyncpg.connect(own_database_url)
    checks = await connection.fetch(
        "SELECT conrelid::regclass AS table, conname AS name FROM pg_constraint"
        " WHERE contype = 'c' AND conrelid::regclass::text = ANY($1)",
        TABLES,
    )
    for check in checks:
        await connection.execute(f"ALTER TABLE {check['table']} DROP CONSTRAINT {check['name']}")
    for index in UNIQUE:
        await connection.execute(f"DROP INDEX {index}")
    for table in TABLES:
        await connection.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


def test_every_invariant_has_a_break() -> None:
    assert list(BREAKS) == list(Invariant) == list(ROWS)


async def test_a_broken_invariant_is_reported_by_name(
    world: PostgresWorld, unconstrained: "asyncpg.Connection[Any]"
) -> None:
    before = await world.books.examine()

    for invariant, statement in CASES:
        async with broken(unconstrained, statement):
            found = {finding.invariant: finding for finding in await world.books.examine()}
        assert found[invariant].broken > 0, statement
        first = found[invariant].first
        assert first, statement
        assert "wrong" not in first
    assert await world.books.examine() == before


async def test_the_first_broken_row_is_reported(world: PostgresWorld, unconstrained: "asyncpg.Connection[Any]") -> None:
    ann = await unconstrained.fetchval("SELECT id FROM users WHERE username = 'ann'")

    async with broken(unconstrained, f"UPDATE accounts SET balance = balance + 1 WHERE owner_id = {ann}"):
        found = {finding.invariant: finding for finding in await world.books.examine()}

    wrong = found[Invariant.BALANCES].first
    assert wrong is not None
    assert (found[Invariant.BALANCES].broken, wrong["kind"], wrong["owner_id"]) == (1, "wallet", ann)
    assert (wrong["balance"], wrong["moved"]) == (141, 140)


async def test_reconciliation_reads_one_snapshot(world: PostgresWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    style, zoe = await world.style(await world.artist("max")), await world.user("zoe", tokens=1000)
    examined = books._examined

    async def concurrent_changes(*args: Any) -> Any:
        await world.image(zoe, style)
        return await examined(*args)

    monkeypatch.setattr(books, "_examined", concurrent_changes)

    findings = await world.books.examine()

    assert [finding.broken for finding in findings] == [0] * len(Invariant)
    assert {finding.invariant.name: finding.checked for finding in findings}["GENERATIONS_SETTLED"] == 6


@asynccontextmanager
async def broken(unconstrained: "asyncpg.Connection[Any]", statement: str) -> AsyncIterator[None]:
    """The database after a statement that it would refuse, and afterwards as it was."""
    assert await unconstrained.execute(statement) not in {"UPDATE 0", "DELETE 0", "INSERT 0 0"}, statement
    yield
    for table in TABLES:
        await unconstrained.execute(f"DELETE FROM {table}")
        await unconstrained.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
