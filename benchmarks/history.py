"""Images that were made and published before anything is measured: lists of few rows are quick in any way."""

import asyncpg

IMAGES = 50_000

# What tens of thousands of calls would have left, all at once. The rules of the schema and its triggers would look at
# each row, which takes minutes; what they would have kept is written here.
MAKE = f"""
SET LOCAL session_replication_role = replica;

CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT nextval(pg_get_serial_sequence('generations', 'id')) AS id,
    nextval(pg_get_serial_sequence('transfers', 'id')) AS hold_id,
    buyer.owner_id, buyer.id AS wallet_id, style.id AS style_id, style.artist_id, earning.id AS earning_id,
    style.generation_cost_tokens AS tokens, now() - number * interval '1 second' AS at
FROM generate_series(1, {IMAGES}) number
JOIN (
    SELECT *, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many
    FROM accounts WHERE kind = 'wallet' AND balance >= 1000000
) buyer ON buyer.place = number % buyer.many + 1
JOIN (
    SELECT *, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many FROM styles
) style ON style.place = number % style.many + 1
JOIN accounts earning ON earning.kind = 'earnings' AND earning.owner_id = style.artist_id;

INSERT INTO transfers
    (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
SELECT hold_id, 'hold', 'generation:' || id, 'generation', wallet_id, earning_id, tokens, id, at FROM made;

INSERT INTO transfers
    (phase, reference, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id, created_at)
SELECT 'post', 'generation:' || id, 'generation', wallet_id, earning_id, tokens, hold_id, id, at FROM made;

INSERT INTO generations (
    id, owner_id, style_id, artist_id, consumed_tokens, hold_id, aspect_ratio, prompt_tags, task_id, status, attempt,
    result_key, public_key, metadata, created_at, updated_at, ended_at
)
SELECT id, owner_id, style_id, artist_id, tokens, hold_id, '1:1', '{{woman,portrait}}', gen_random_uuid(), 'completed',
    1, 'generations/' || id || '.png', 'public/generations/' || id || '.png', '{{}}', at, at, at
FROM made;

-- Balances and counts are as if all had been folded.
UPDATE accounts SET balance = balance - paid FROM (SELECT wallet_id, sum(tokens) AS paid FROM made GROUP BY 1) moved
WHERE accounts.id = wallet_id;
UPDATE accounts SET balance = balance + earned
FROM (SELECT earning_id, sum(tokens) AS earned FROM made GROUP BY 1) moved
WHERE accounts.id = earning_id;
UPDATE styles SET usage_count = usage_count + images, earned_tokens = earned_tokens + tokens
FROM (SELECT style_id, count(*) AS images, sum(tokens) AS tokens FROM made GROUP BY 1) used
WHERE styles.id = used.style_id;
INSERT INTO tags (name, usage_count) SELECT name, {IMAGES} FROM unnest('{{woman,portrait}}'::text[]) name
ON CONFLICT (name) DO UPDATE SET usage_count = tags.usage_count + excluded.usage_count;
INSERT INTO style_tags (style_id, name, count)
SELECT style_id, name, count(*) FROM made, unnest('{{woman,portrait}}'::text[]) name GROUP BY style_id, name
ON CONFLICT (style_id, name) DO UPDATE SET count = style_tags.count + excluded.count;

INSERT INTO notifications (recipient_id, type, reason, target_type, target_id, metadata, created_at)
SELECT owner_id, 'generation_complete', 'generation:' || id || ':ended', 'generation', id, '{{}}', at FROM made;
"""

# A page somewhere in the middle, with everything on it that a feed shows.
PAGE = f"""
\\set seconds random(1, {IMAGES})
SELECT image.*, users.username, users.profile_image, styles.name, artists.artist_name
FROM (
    SELECT id, owner_id, style_id, artist_id, description, aspect_ratio, prompt_tags, public_key, like_count,
        comment_count, created_at
    FROM generations
    WHERE public_key IS NOT NULL AND (created_at, id) < (now() - :seconds * interval '1 second', 0)
    ORDER BY created_at DESC, id DESC LIMIT 20
) image
JOIN users ON users.id = owner_id JOIN styles ON styles.id = style_id JOIN artists ON user_id = image.artist_id
ORDER BY image.created_at DESC, image.id DESC;
"""


async def make(url: str) -> None:
    """Put them into the database, with their notifications."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(MAKE)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def waiting(url: str, count: int) -> list[int]:
    """Images that were asked for and that nobody works at yet."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT id FROM generations WHERE status = 'queued' LIMIT $1", count)
        return [row["id"] for row in rows]
    finally:
        await connection.close()
