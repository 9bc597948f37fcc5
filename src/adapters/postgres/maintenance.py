from adapters.postgres.pool import Pool
from core.ports.maintenance import Maintenance

# Deleting deltas rolls them up: a trigger adds them to the balance. The account is locked first, as everywhere.
ROLL_UP_BALANCES = """
WITH party AS MATERIALIZED (
    SELECT id FROM accounts WHERE id IN (SELECT account_id FROM balance_deltas LIMIT $1)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM balance_deltas WHERE (account_id, transfer_id) IN (
        SELECT account_id, transfer_id FROM party JOIN balance_deltas ON account_id = party.id LIMIT $1
    )
    RETURNING account_id
)
SELECT count(*) AS taken FROM deleted
"""

ROLL_UP_USES = """
WITH used AS MATERIALIZED (
    SELECT id FROM styles WHERE id IN (SELECT style_id FROM style_uses LIMIT $1)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM style_uses WHERE (style_id, generation_id) IN (
        SELECT style_id, generation_id FROM used JOIN style_uses ON style_id = used.id LIMIT $1
    )
    RETURNING style_id, generation_id, tokens
),
added AS (
    UPDATE styles SET usage_count = usage_count + images, earned_tokens = earned_tokens + tokens
    FROM (SELECT style_id, count(*) AS images, sum(tokens) AS tokens FROM deleted GROUP BY style_id) taken
    WHERE styles.id = taken.style_id
)
SELECT count(*) AS taken FROM deleted
"""

ROLL_UP_TAGS = """
WITH party AS MATERIALIZED (
    SELECT name FROM tags WHERE name IN (SELECT name FROM tag_deltas LIMIT $1)
    ORDER BY name FOR NO KEY UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM tag_deltas WHERE id IN (SELECT id FROM party JOIN tag_deltas USING (name) LIMIT $1)
    RETURNING name, amount
),
rolled_up AS (
    UPDATE tags SET usage_count = usage_count + amount
    FROM (SELECT name, sum(amount)::bigint AS amount FROM deleted GROUP BY name) difference
    WHERE tags.name = difference.name
)
SELECT count(*) AS taken FROM deleted
"""


ROLL_UP_STYLE_TAGS = """
WITH locked AS MATERIALIZED (
    SELECT id FROM styles WHERE id IN (SELECT style_id FROM style_tag_deltas LIMIT $1)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM style_tag_deltas WHERE id IN (
        SELECT delta.id FROM locked JOIN style_tag_deltas delta ON style_id = locked.id ORDER BY delta.id LIMIT $1
    )
    RETURNING style_id, name, amount
),
rolled_up AS (
    INSERT INTO style_tags (style_id, name, count)
    SELECT style_id, name, sum(amount)::bigint FROM deleted GROUP BY style_id, name
    ON CONFLICT (style_id, name) DO UPDATE SET count = style_tags.count + excluded.count
)
SELECT style_id, count(*) AS taken FROM deleted GROUP BY style_id
"""
"""Oldest first: an image is published before it is hidden, so no count falls below zero in between."""
DELETE_UNUSED_STYLE_TAGS = "DELETE FROM style_tags WHERE style_id = ANY($1) AND count <= 0"
"""For styles that the previous statement has locked: tags of hidden or erased images are not kept."""


class PostgresMaintenance(Maintenance):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def roll_up_balances(self, *, limit: int) -> int:
        return await self._roll_up(ROLL_UP_BALANCES, limit)

    async def roll_up_uses(self, *, limit: int) -> int:
        return await self._roll_up(ROLL_UP_USES, limit)

    async def roll_up_tags(self, *, limit: int) -> int:
        tags = await self._roll_up(ROLL_UP_TAGS, limit)
        transaction = await self._pool.begin()
        try:
            styles = await transaction.fetch(ROLL_UP_STYLE_TAGS, limit)
            if styles:
                await transaction.fetch(DELETE_UNUSED_STYLE_TAGS, [style["style_id"] for style in styles])
        except BaseException:
            await transaction.rollback()
            raise
        await transaction.commit()
        taken: int = tags + sum(style["taken"] for style in styles)
        return taken

    async def _roll_up(self, statement: str, limit: int) -> int:
        row = await self._pool.fetchrow(statement, limit)
        return row["taken"] if row else 0
