"""Somebody with a lot leaves a database with a lot more: everything of theirs is found by an index."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.pool import create_pool
from core.account_deletion.delete_account import DeleteAccount
from tests.adapters.postgres.test_plans import BEGAN, FILL, PROLIFIC
from tests.contracts.postgres_world import PostgresWorld
from tests.support import postgres

MORE = f"""
SELECT setval(pg_get_serial_sequence('comments', 'id'), (SELECT max(id) FROM comments));
SELECT setval(pg_get_serial_sequence('notifications', 'id'), (SELECT max(id) FROM notifications));
SET session_replication_role = 'replica';

INSERT INTO likes (user_id, generation_id, created_at)
SELECT {PROLIFIC}, id, '{BEGAN}' FROM generations WHERE public_key IS NOT NULL AND owner_id <> {PROLIFIC} LIMIT 2000
ON CONFLICT DO NOTHING;
INSERT INTO follows (follower_id, followed_id, created_at)
SELECT n, {PROLIFIC}, '{BEGAN}' FROM generate_series(6001, 7000) n;
INSERT INTO comments (generation_id, author_id, content, created_at, updated_at)
SELECT id, 1 + id % 4000, 'Nice', '{BEGAN}', '{BEGAN}' FROM generations, generate_series(1, 2)
WHERE owner_id = {PROLIFIC};
INSERT INTO comments (generation_id, author_id, content, created_at, updated_at)
SELECT 14, {PROLIFIC}, 'Mine', '{BEGAN}', '{BEGAN}' FROM generate_series(1, 1000);
INSERT INTO notifications (recipient_id, actor_id, type, reason, target_type, target_id, metadata, created_at)
SELECT n, {PROLIFIC}, 'follow', 'follow:{PROLIFIC}', 'user', {PROLIFIC}, '{{}}', '{BEGAN}'
FROM generate_series(1, 2000) n;
INSERT INTO styles (
    id, artist_id, name, name_key, description, generation_cost_tokens, license_type, tags, task_id, training_status,
    is_active, show_samples, model_path, created_at, updated_at
)
SELECT 9000 + n, {PROLIFIC}, 'Own ' || n, 'own ' || n, '', 30, 'personal', '{{}}', gen_random_uuid(), 'completed', true,
    true, 'gs://models/' || n, '{BEGAN}', '{BEGAN}'
FROM generate_series(1, 10) n;
INSERT INTO artworks (id, style_id, index, key, format, width, height, size, tags)
SELECT 90000 + n, 9001 + n / 10, n % 10, 'training/' || n, 'png', 512, 512, 1000, '{{}}' FROM generate_series(0, 99) n;
INSERT INTO purchases (
    order_id, user_id, package_id, amount_tokens, total_price, price_per_token, currency_code, created_at, expires_at,
    check_at, status, payment_key, ended_at
)
SELECT 'order-' || n, 1 + n % 5000, 'basic_100', 100, 10000, 100, 'KRW', '{BEGAN}', '{BEGAN}', '{BEGAN}', 'paid',
    'key-' || n, '{BEGAN}'
FROM generate_series(1, 10000) n;
INSERT INTO idempotency_keys (user_id, key, fingerprint, created_at)
SELECT 1 + n % 5000, 'key-' || n, sha256(n::text::bytea), '{BEGAN}' FROM generate_series(1, 10000) n;
UPDATE generations SET like_count = like_count + 1 FROM likes WHERE user_id = {PROLIFIC} AND generation_id = id;
UPDATE generations SET comment_count = 10000 WHERE id = 14;
UPDATE users SET follower_count = 10000 WHERE id = {PROLIFIC};
UPDATE withdrawals SET status = 'settled', ended_at = '{BEGAN}', ended_by = 1 WHERE artist_id = {PROLIFIC};

RESET session_replication_role;
"""
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
READ_FROM_END_TO_END = """
SELECT relname, seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE seq_scan > 0 AND relid IN (
    SELECT oid FROM pg_class WHERE reltuples >= 1000
)
"""


@pytest.fixture
async def crowded(postgres_server: postgres.Server, _template: str) -> AsyncIterator[str]:
    """Where an index is used whenever there is one that serves, however few rows a table has here."""
    name = f"test_account_deletion_{uuid4().hex[:8]}"
    url = await postgres_server.create(name, _template)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute(MORE)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute(f'ALTER DATABASE "{name}" SET enable_seqscan = off')
        await connection.execute("SELECT pg_stat_reset()")
    finally:
        await connection.close()
    yield url
    await postgres_server.drop(name)


async def test_nothing_is_searched_from_end_to_end_for_who_leaves(crowded: str) -> None:
    """Nor by what the schema's own rules look up for each row that goes."""
    async with create_pool(crowded, max_size=4) as pool:
        await PostgresWorld(pool).use_case(DeleteAccount)(PROLIFIC)

    connection = await asyncpg.connect(crowded)
    try:
        while await connection.fetchval(OTHERS):
            pass  # a connection says what it has read when it ends
        assert await connection.fetchval("SELECT count(*) FROM users WHERE id = $1", PROLIFIC) == 0
        assert [dict(row) for row in await connection.fetch(READ_FROM_END_TO_END)] == []
    finally:
        await connection.close()
