"""The actors of the simulator on a real PostgreSQL, concurrently."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from adapters.postgres.books import PostgresBooks
from adapters.postgres.generations import PostgresGenerations
from adapters.postgres.pool import Pool, create_pool
from adapters.postgres.purchases import PostgresPurchases
from core.tokens.errors import DuplicateTransfer, HoldAlreadyResolved
from core.tokens.reconciliation import Invariant
from tests.simulation import admin
from tests.simulation.actions.account_deletion import AccountDeletion
from tests.simulation.actions.community import Community
from tests.simulation.audit import KEYED, RULES, audit
from tests.simulation.concurrent import perform
from tests.simulation.violation import Violation
from tests.support.batches import Batches, pool_with

REQUIRED = frozenset({"RequestGeneration again", "CompleteGeneration", "PostComment"})
"""What leaves something of everything for BREAKS. They answer often, whatever the order of calls is."""
BREAKS = {
    "everybody is welcomed once": "DELETE FROM transfers WHERE kind = 'bonus'",
    "whose generation has ended is notified once": "DELETE FROM notifications",
    "buyers are notified once of each refund that has ended, and of each charge-back": """
        INSERT INTO notifications (recipient_id, type, reason, target_type, metadata, created_at)
        SELECT user_id, 'purchase_refunded', 'again', 'purchase', '{"tokens": 1}'::jsonb, now() FROM purchases LIMIT 1
    """,
    "what was asked for by a key was made once": "UPDATE generations SET description = 'a key', owner_id = 1",
    "what was made by a key is named by the answer": "DELETE FROM idempotency_keys",
    "images count their likes and comments": "UPDATE generations SET like_count = like_count + 1",
    "comments count their replies": "UPDATE comments SET reply_count = reply_count + 1 WHERE parent_id IS NULL",
    "users count their followers": "UPDATE users SET follower_count = follower_count + 1",
    "styles count their images and earnings, and those of images that were erased": (
        "DELETE FROM style_uses; UPDATE styles SET usage_count = 0"
    ),
    "styles have earned no more than their artists": "UPDATE styles SET earned_tokens = earned_tokens + 1",
    "of withdrawn styles nothing is queued, and no image is public that was to go": """
        UPDATE styles SET takedown_at = now(), takedown_reason = 'No.', takedown_by_admin = false,
            takedown_keeps_images = false, takedown_pending = false, is_active = false;
        UPDATE generations SET public_key = 'public/' || id WHERE status = 'completed'
    """,
    "generations are of a trained version of their style": "UPDATE generations SET style_version = 99",
    "everything has ended": """
        UPDATE style_versions SET training_status = 'training', model_path = NULL, completed_at = NULL WHERE number = 1
    """,
}
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
"""What has been counted by connections that are closed."""
LEDGER = "UPDATE accounts SET balance = balance + 1 WHERE kind = 'wallet'"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, max_size=10) as pool:
        yield pool


@pytest.mark.parametrize("batches", Batches, ids=lambda batches: batches.value)
async def test_every_invariant_holds_after_concurrent_actions(
    database_url: str, sql: "asyncpg.Connection[Any]", batches: Batches
) -> None:
    before = await sql.fetchval(DEADLOCKS)
    async with pool_with(batches, database_url, max_size=32) as pool:
        stage = await perform(pool, seed=1, calls=2_500)

    assert stage.cancelled > 10
    assert await sql.fetchval(DEADLOCKS) == before


async def test_the_audit_finds_every_violation(
    pool: Pool, sql: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccountDeletion, "available_to", lambda *_: {})  # so that something of everything is left
    monkeypatch.setattr(admin, "DELETED", 0)
    monkeypatch.setattr(Community, "_delete_comment", Community._edit_comment)
    await perform(pool, seed=2, calls=1_000, required=REQUIRED)

    rules = RULES | KEYED
    assert BREAKS.keys() == rules.keys()
    for rule, statement in BREAKS.items():
        async with broken(sql, statement):
            assert await sql.fetch(rules[rule]), rule
    await sql.execute(f"SET session_replication_role = replica; {LEDGER}; RESET session_replication_role")
    with pytest.raises(Violation, match=Invariant.BALANCES.value):
        await audit(PostgresBooks(pool), sql.fetch)


@asynccontextmanager
async def broken(sql: "asyncpg.Connection[Any]", statement: str) -> AsyncIterator[None]:
    """The database after a statement that it would refuse, for a while."""
    attempt = sql.transaction()
    await attempt.start()
    try:
        await sql.execute("SET LOCAL session_replication_role = replica")
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
