"""Generations published before the measurement, because short lists are fast with any plan."""

import asyncpg

from tests.support.fills import ledger
from tests.support.fills.fill import filling

IMAGES = 50_000

# A page in the middle, with everything that a feed shows.
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


async def make(url: str, *, scale: int) -> None:
    """Put `scale` times IMAGES into the database, with their notifications."""
    async with filling(url) as fill:
        await ledger.generations(fill, completed=IMAGES * scale, public=True, fee=0)
        await ledger.uses(fill)
        await ledger.balances(fill)


async def waiting(url: str, count: int) -> list[int]:
    """Queued generations."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT id FROM generations WHERE status = 'queued' LIMIT $1", count)
        return [row["id"] for row in rows]
    finally:
        await connection.close()
