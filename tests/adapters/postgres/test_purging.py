"""Batched deletes stay within their batch size with every query plan."""

import asyncpg
import pytest

from adapters.postgres import accounts, idempotency, notifications, rate_limits
from tests.support.fills.fill import filling

HUNDRED = "generate_series(1, 100) n"


async def fill_hundreds(url: str) -> None:
    async with filling(url) as fill:
        times = {"created_at": "now() - interval '1 day'", "expires_at": "now()"}
        await fill.rows("sessions", HUNDRED, token_hash="sha256(n::text::bytea)", user_id="1", **times)
        await fill.rows(
            "rate_limits", HUNDRED, key="n", slot="1", calls="1", previous="0", granted="1", expires_at="now()"
        )
        answer = {"fingerprint": "''::bytea", "status": "200", "headers": "'{}'::jsonb", "body": "''::bytea"}
        await fill.rows("idempotency_keys", HUNDRED, user_id="1", key="n::text", **answer)
        about = {"type": "'follow'", "reason": "n::text", "target_type": "'user'", "target_id": "1"}
        await fill.rows("notifications", HUNDRED, id="n", recipient_id="1", read_at="now()", **about)


# With these a list that is asked for in a condition is asked for again for every row.
ROW_BY_ROW = [f"SET enable_{way} = off" for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize")]


@pytest.mark.parametrize(
    "statement",
    [accounts.PURGE_EXPIRED, notifications.PURGE_READ, rate_limits.PURGE, idempotency.PURGE],
    ids=["sessions", "notifications", "rate limits", "answers"],
)
async def test_purging_respects_the_limit(database_url: str, statement: str) -> None:
    await fill_hundreds(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        for way in ROW_BY_ROW:
            await connection.execute(way)
        removed = [
            len(await connection.fetch(statement, await connection.fetchval("SELECT now()"), 30)) for _ in "1234"
        ]
    finally:
        await connection.close()

    assert removed == [30, 30, 30, 10]
