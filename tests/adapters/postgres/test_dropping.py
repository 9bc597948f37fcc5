"""What is removed in pieces is removed in pieces whatever plan PostgreSQL makes of the statement."""

import asyncpg
import pytest

from adapters.postgres import accounts, idempotency, notifications, rate_limits

FILLED = """
SET session_replication_role = replica;
INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, expires_at, user_agent)
    SELECT sha256(number::text::bytea), 1, now() - interval '1 day', now(), now(), ''
    FROM generate_series(1, 100) number;
INSERT INTO rate_limits (key, slot, calls, previous, expires_at)
    SELECT number, 1, 1, 0, now() FROM generate_series(1, 100) number;
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, headers, body, created_at)
    SELECT 1, number, '', 200, '{}', '', now() FROM generate_series(1, 100) number;
INSERT INTO notifications (id, recipient_id, type, reason, target_type, target_id, metadata, created_at, read_at)
    SELECT number, 1, 'follow', number, 'user', 1, '{}', now(), now() FROM generate_series(1, 100) number;
"""
# With these a list that is asked for in a condition is asked for again for every row.
ROW_BY_ROW = [f"SET enable_{way} = off" for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize")]


@pytest.mark.parametrize(
    "statement",
    [accounts.DROP_EXPIRED, notifications.DROP_READ, rate_limits.FORGET, idempotency.PURGE],
    ids=["sessions", "notifications", "rate limits", "answers"],
)
async def test_no_more_is_removed_than_asked_for(database_url: str, statement: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(FILLED)
        for way in ROW_BY_ROW:
            await connection.execute(way)
        removed = [
            len(await connection.fetch(statement, await connection.fetchval("SELECT now()"), 30)) for _ in "1234"
        ]
    finally:
        await connection.close()

    assert removed == [30, 30, 30, 10]
