"""Rows of one user as years of use would leave them, by the user and by others; without the ledger."""

from core.identifiers import UserId
from tests.support.fills.fill import Fill

FIRST = 1_000_000
"""The ids of what is made here come after it."""


async def large_account(fill: Fill, user: UserId, *, images: int, likes: int, comments: int, followers: int) -> None:
    """Give a user so many of each; the styles that they use are there already."""
    await fill.rows("users", "generate_series(1, $1::int) n", followers, id=f"{FIRST} + n")
    await fill.rows(
        "generations",
        """generate_series(1, $2::int + $3::int) n,
        LATERAL (SELECT n <= $2 AS own) x,
        (SELECT id AS style, artist_id AS artist FROM styles ORDER BY id LIMIT 1) y""",
        *(user, images, likes, comments // images),
        id=f"{FIRST} + n",
        owner_id=f"CASE WHEN own THEN $1::bigint ELSE {FIRST} + 1 END",
        style_id="style",
        artist_id="artist",
        public_key="'public/life/' || n",
        result_key="'generations/life/' || n",
        like_count="CASE WHEN own THEN 0 ELSE 1 END",
        comment_count="CASE WHEN own THEN $4::int ELSE 0 END",
        created_at="now() - n * interval '1 second'",
    )
    of = "generate_series(1, $2::int) n"
    await fill.rows("likes", of, user, likes, images, user_id="$1::bigint", generation_id=f"{FIRST} + $3::int + n")
    await fill.rows(
        *("comments", "generate_series(1, $1::int) n", comments, images, followers),
        generation_id=f"{FIRST} + 1 + n % $2::int",
        author_id=f"{FIRST} + 1 + n % $3::int",
    )
    await fill.rows("follows", of, user, followers, follower_id=f"{FIRST} + n", followed_id="$1::bigint")
    await fill.sql("UPDATE users SET follower_count = follower_count + $2 WHERE id = $1", user, followers)
    await fill.rows(
        *("notifications", of, user, followers),
        recipient_id="$1::bigint",
        actor_id=f"{FIRST} + n",
        type="'follow'",
        reason="'follow:' || n",
        target_type="'user'",
        target_id=f"{FIRST} + n",
    )
    tags = "unnest('{woman,portrait}'::text[]) tag"
    counted = "ON CONFLICT (name) DO UPDATE SET usage_count = tags.usage_count + excluded.usage_count"
    await fill.rows("tags", tags, images + likes, then=counted, name="tag", usage_count="$1::int")
    await fill.rows(
        *("style_tags", f"(SELECT id AS style FROM styles ORDER BY id LIMIT 1) y, {tags}", images + likes),
        style_id="style",
        name="tag",
        count="$1::int",
    )
