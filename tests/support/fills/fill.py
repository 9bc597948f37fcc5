"""Many rows with one statement, of which only the columns that matter are named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

CREATED = {"created_at": "now()"}
CREATED_AND_UPDATED = CREATED | {"updated_at": "created_at"}
DEFAULTS: dict[str, dict[str, str]] = {
    "users": {
        "provider": "'test'",
        "subject": "id::text",
        "username": "'user-' || id",
        "role": "'user'",
        "bio": "''",
        **CREATED_AND_UPDATED,
    },
    "artists": {
        "artist_name": "'Artist ' || user_id",
        "name_key": "lower(artist_name)",
        "verified_email": "'artist@example.com'",
        "signature_key": "'signatures/' || user_id",
        **CREATED,
    },
    "follows": CREATED,
    "likes": CREATED,
    "styles": {
        "name": "'Style ' || id",
        "name_key": "lower(name)",
        "description": "''",
        "generation_cost_tokens": "30",
        "license_type": "'personal'",
        "tags": "'{}'::text[]",
        "version": "1",
        "version_id": "id",
        "is_active": "true",
        "show_samples": "true",
        "model_path": "'gs://models/' || id",
        **CREATED_AND_UPDATED,
    },
    "style_versions": {
        "number": "1",
        "task_id": "gen_random_uuid()",
        "rights_version": "1",
        "rights_explicit": "true",
        "rights_affirmed_at": "now()",
        "training_status": "'completed'",
        "model_path": "'gs://models/' || id",
        **CREATED_AND_UPDATED,
        "completed_at": "created_at",
    },
    "artworks": {
        "key": "'training/' || id",
        "format": "'png'",
        "width": "512",
        "height": "512",
        "size": "1000",
        "digest": "sha256(id::text::bytea)",
        "tags": "'{}'::text[]",
    },
    "generations": {
        "consumed_tokens": "30",
        "license_type": "'personal'",
        "license_version": "1",
        "style_version": "1",
        "hold_id": "id",
        "aspect_ratio": "'1:1'",
        "prompt_tags": "'{woman,portrait}'::text[]",
        "task_id": "gen_random_uuid()",
        "status": "'completed'",
        "attempt": "1",
        "result_key": "CASE status WHEN 'completed' THEN 'generations/' || id END",
        "metadata": "'{}'::jsonb",
        **CREATED_AND_UPDATED,
        "ended_at": "CASE WHEN status <> 'queued' THEN created_at END",
    },
    "transfers": CREATED,
    "comments": {"content": "'Nice'", **CREATED_AND_UPDATED},
    "notifications": {"metadata": "'{}'::jsonb", **CREATED},
    "purchases": {
        "package_id": "'basic_100'",
        "amount_tokens": "100",
        "price_per_token": "100",
        "total_price": "amount_tokens * price_per_token",
        "currency_code": "'KRW'",
        **CREATED,
        "expires_at": "created_at",
        "check_at": "created_at",
        "status": "'paid'",
        "payment_key": "'key-' || order_id",
        "ended_at": "created_at",
    },
    "withdrawals": {"hold_id": "id", **CREATED, "earned_until": "created_at"},
    "idempotency_keys": CREATED,
    "sessions": {**CREATED, "last_seen_at": "created_at", "expires_at": "created_at + interval '14 days'"},
}
"""By table, SQL for the columns that a fill does not name; it may refer to named ones and to those above it."""


class Fill:
    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def sql(self, statement: str, *args: object) -> None:
        await self._connection.execute(statement, *args)

    async def rows(self, table: str, source: str, *args: object, then: str = "", **columns: str) -> None:
        """Rows of a table, one for each row of `source`: what follows FROM, with `$1` and so on for `args`.

        `columns` are SQL over the columns of the source. The others that must not be null have DEFAULTS. `then` is what
        follows, such as ON CONFLICT.
        """
        rows = f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in columns.items())} FROM {source}"
        defaults = {name: sql for name, sql in DEFAULTS.get(table, {}).items() if name not in columns}
        for name, sql in defaults.items():
            rows = f"SELECT *, {sql} AS {name} FROM ({rows}) named"
        names = ", ".join([*columns, *defaults])
        await self.sql(f"INSERT INTO {table} ({names}) SELECT {names} FROM ({rows}) named {then}", *args)


@asynccontextmanager
async def filling(url: str) -> AsyncIterator[Fill]:
    """A database to be filled, in one transaction; afterwards its statistics are up to date."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            yield Fill(connection)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
