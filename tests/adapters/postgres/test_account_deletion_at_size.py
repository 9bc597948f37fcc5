"""The deletion of a large account in a large database: all its rows are found by an index."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from adapters.postgres.pool import create_pool
from core.account_deletion.delete_account import DeleteAccount
from tests.contracts.postgres_world import PostgresWorld
from tests.support import postgres
from tests.support.fills.account import large_account
from tests.support.fills.crowd import PROLIFIC, crowd
from tests.support.fills.fill import Fill, filling

OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
READ_FROM_END_TO_END = """
SELECT relname, seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE seq_scan > 0 AND relid IN (
    SELECT oid FROM pg_class WHERE reltuples >= 1000
)
"""


async def large_account_rows(fill: Fill) -> None:
    """For PROLIFIC, and of everything that others may have so much as well."""
    await large_account(fill, PROLIFIC, images=1000, likes=2000, comments=2000, followers=1000)
    await fill.rows("comments", "generate_series(1, 1000) n", PROLIFIC, generation_id="14", author_id="$1::bigint")
    await fill.rows(
        *("notifications", "generate_series(1, 2000) n", PROLIFIC),
        recipient_id="n",
        actor_id="$1::bigint",
        type="'follow'",
        reason="'follow:' || n",
        target_type="'user'",
        target_id="$1::bigint",
    )
    await fill.rows("styles", "generate_series(1, 10) n", PROLIFIC, id="9000 + n", artist_id="$1::bigint")
    await fill.rows("style_versions", "styles WHERE id > 9000", id="id", style_id="id")
    await fill.rows(
        *("artworks", "generate_series(0, 99) n"), id="90000 + n", version_id="9001 + n / 10", index="n % 10"
    )
    await fill.rows("purchases", "generate_series(1, 10000) n", order_id="'order-' || n", user_id="1 + n % 5000")
    await fill.rows(
        *("idempotency_keys", "generate_series(1, 10000) n"),
        user_id="1 + n % 5000",
        key="'key-' || n",
        fingerprint="sha256(n::text::bytea)",
    )
    await fill.sql("UPDATE generations SET comment_count = 10000 WHERE id = 14")
    await fill.sql("UPDATE users SET follower_count = 10000 WHERE id = $1", PROLIFIC)
    settled = "UPDATE withdrawals SET status = 'settled', ended_at = now(), ended_by = 0 WHERE artist_id = $1"
    await fill.sql(settled, PROLIFIC)


@pytest.fixture
async def crowded(postgres_server: postgres.Server) -> AsyncIterator[str]:
    """Where an index is used whenever there is one that serves, however few rows a table has here."""
    async with postgres.filled_copy(postgres_server, crowd) as url:
        async with filling(url) as fill:
            await large_account_rows(fill)
        connection = await asyncpg.connect(url)
        try:
            name = await connection.fetchval("SELECT current_database()")
            await connection.execute(f'ALTER DATABASE "{name}" SET enable_seqscan = off')
            await connection.execute("SELECT pg_stat_reset()")
        finally:
            await connection.close()
        yield url


async def test_no_query_of_a_deletion_scans_a_whole_table(crowded: str) -> None:
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
