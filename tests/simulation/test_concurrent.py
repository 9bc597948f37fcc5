"""The cast of the simulator on a real PostgreSQL, all at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from adapters.postgres.generations import PostgresGenerations
from adapters.postgres.pool import Pool, create_pool
from adapters.postgres.purchases import PostgresPurchases
from core.tokens.errors import DuplicateTransfer, HoldAlreadyResolved
from tests.simulation.audit import RULES, audit
from tests.simulation.broken import Broken
from tests.simulation.concurrent import perform

BREAKS = {
    "a balance is what its transfers say": "UPDATE accounts SET balance = balance + 1 WHERE kind = 'wallet'",
    "what is held is what open holds say": "UPDATE accounts SET held = held + 1 WHERE kind = 'wallet'",
    "no wallet is below zero": "UPDATE accounts SET balance = -1 WHERE kind = 'earnings'",
    "the sum over all accounts is zero": "UPDATE accounts SET balance = balance + 1 WHERE kind = 'fees'",
    "a generation has one hold, of its own terms": "UPDATE generations SET consumed_tokens = consumed_tokens + 1",
    "a completed generation is posted once, a failed or cancelled one voided once": (
        "UPDATE generations SET status = 'failed', public_key = NULL WHERE status = 'completed'"
    ),
    "tokens are held for what exists": "DELETE FROM generations",
    "a paid purchase is credited once, another never": "UPDATE purchases SET amount_tokens = amount_tokens + 1",
    "everybody is welcomed once": "DELETE FROM transfers WHERE kind = 'bonus'",
    "whose generation has ended is told once": "DELETE FROM notifications",
    "everything has ended": "UPDATE generations SET status = 'queued', ended_at = NULL, public_key = NULL",
}


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, max_size=10) as pool:
        yield pool


async def test_every_invariant_holds_when_everything_has_ended(pool: Pool) -> None:
    stage = await perform(pool, seed=1, calls=800)

    happened = " ".join(stage.answers)
    assert stage.cancelled > 10
    for deed in ("CompleteGeneration", "FailGeneration", "CancelGeneration", "SettlePurchase", "TimeOutGenerations"):
        assert f"{deed} answers" in happened


async def test_the_audit_finds_what_breaks_a_rule(pool: Pool, sql: "asyncpg.Connection[Any]") -> None:
    await perform(pool, seed=2, calls=500)

    assert BREAKS.keys() == RULES.keys()
    for rule, statement in BREAKS.items():
        async with broken(sql, statement):
            assert await sql.fetch(RULES[rule]), rule
            with pytest.raises(Broken):
                await audit(sql.fetch)
    await audit(sql.fetch)


@asynccontextmanager
async def broken(sql: "asyncpg.Connection[Any]", statement: str) -> AsyncIterator[None]:
    """The database after a statement that it would refuse, for a while."""
    attempt = sql.transaction()
    await attempt.start()
    try:
        await sql.execute("SET LOCAL session_replication_role = replica")
        await sql.execute("ALTER TABLE accounts DROP CONSTRAINT ck_accounts_solvent, DROP CONSTRAINT ck_accounts_held")
        await sql.execute(statement)
        yield
    finally:
        await attempt.rollback()


async def test_missing_locks_are_found(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    for repository, method in ((PostgresGenerations, "_found"), (PostgresPurchases, "of_order")):
        found = getattr(repository, method)

        async def without_lock(self: object, *args: Any, found: Any = found, **_: Any) -> Any:
            return await found(self, *args, lock=False)

        monkeypatch.setattr(repository, method, without_lock)

    with pytest.raises(ExceptionGroup) as broken:
        await perform(pool, seed=1, calls=20_000)

    assert broken.value.subgroup((HoldAlreadyResolved, DuplicateTransfer, asyncpg.IntegrityConstraintViolationError))
