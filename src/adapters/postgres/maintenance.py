from adapters.postgres.pool import Pool
from core.ports.maintenance import Maintenance

# Deleting deltas is what rolls them up: a trigger adds them to the balance. The account is locked first, as everywhere.
ROLL_UP_BALANCES = """
WITH party AS MATERIALIZED (
    SELECT id FROM accounts WHERE id IN (SELECT account_id FROM balance_deltas LIMIT $1)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM balance_deltas WHERE (account_id, transfer_id) IN (
        SELECT account_id, transfer_id FROM party JOIN balance_deltas ON account_id = party.id LIMIT $1
    )
    RETURNING account_id
)
SELECT count(*) AS taken FROM gone
"""

ROLL_UP_USES = """
WITH used AS MATERIALIZED (
    SELECT id FROM styles WHERE id IN (SELECT style_id FROM style_uses LIMIT $1)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM style_uses WHERE (style_id, generation_id) IN (
        SELECT style_id, generation_id FROM used JOIN style_uses ON style_id = used.id LIMIT $1
    )
    RETURNING style_id, generation_id, tokens
),
added_tags AS (
    INSERT INTO style_tags (style_id, name, count)
    SELECT gone.style_id, name, count(*)
    FROM gone JOIN generations ON id = generation_id CROSS JOIN unnest(prompt_tags) name
    GROUP BY gone.style_id, name
    ON CONFLICT (style_id, name) DO UPDATE SET count = style_tags.count + excluded.count
),
added AS (
    UPDATE styles SET usage_count = usage_count + images, earned_tokens = earned_tokens + tokens
    FROM (SELECT style_id, count(*) AS images, sum(tokens) AS tokens FROM gone GROUP BY style_id) taken
    WHERE styles.id = taken.style_id
)
SELECT count(*) AS taken FROM gone
"""

ROLL_UP_TAGS = """
WITH party AS MATERIALIZED (
    SELECT name FROM tags WHERE name IN (SELECT name FROM tag_deltas LIMIT $1)
    ORDER BY name FOR NO KEY UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM tag_deltas WHERE id IN (SELECT id FROM party JOIN tag_deltas USING (name) LIMIT $1)
    RETURNING name, amount
),
rolled_up AS (
    UPDATE tags SET usage_count = usage_count + amount
    FROM (SELECT name, sum(amount)::bigint AS amount FROM gone GROUP BY name) difference
    WHERE tags.name = difference.name
)
SELECT count(*) AS taken FROM gone
"""


class PostgresMaintenance(Maintenance):
    """Each call is one statement."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def roll_up_balances(self, *, limit: int) -> int:
        return await self._roll_up(ROLL_UP_BALANCES, limit)

    async def roll_up_uses(self, *, limit: int) -> int:
        return await self._roll_up(ROLL_UP_USES, limit)

    async def roll_up_tags(self, *, limit: int) -> int:
        return await self._roll_up(ROLL_UP_TAGS, limit)

    async def _roll_up(self, statement: str, limit: int) -> int:
        row = await self._pool.fetchrow(statement, limit)
        return row["taken"] if row else 0
