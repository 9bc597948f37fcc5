from adapters.postgres.accounts import END_SESSIONS
from adapters.postgres.pool import Record
from adapters.postgres.transaction import PostgresTransaction
from core.account_deletion.repository import PersonalData, Removed
from core.identifiers import GenerationId, UserId
from core.ports import changes

# Locks are taken in the same order as elsewhere: an image before its likes and comments, and of several images, users
# or styles the one with the smallest id first.

HIDE_ARTIST = "DELETE FROM artist_texts WHERE user_id = $1"
WITHDRAWAL_PENDING = "SELECT FROM withdrawals WHERE artist_id = $1 AND status = 'pending' LIMIT 1"
UNENDED = "SELECT id FROM generations WHERE owner_id = $1 AND ended_at IS NULL ORDER BY created_at, id LIMIT $2"

LOCK_IMAGES = "SELECT FROM generations WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"
LOCK_USERS = "SELECT FROM users WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"
LOCK_STYLES = "SELECT FROM styles WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"

LIKES = "SELECT generation_id FROM likes WHERE user_id = $1 LIMIT $2"
DELETE_LIKES = """
WITH deleted AS (
    DELETE FROM likes WHERE user_id = $1 AND generation_id = ANY($2) RETURNING generation_id
)
UPDATE generations SET like_count = like_count - 1 FROM deleted WHERE id = generation_id
"""

COMMENTS = """
(
    SELECT reply.id, reply.generation_id FROM comments own JOIN comments reply ON reply.parent_id = own.id
    WHERE own.author_id = $1 LIMIT $2
)
UNION ALL (SELECT id, generation_id FROM comments WHERE author_id = $1 LIMIT $2)
LIMIT $2
"""
"""Replies first: a top-level comment is removed once all its replies fit into the same batch."""
DELETE_COMMENTS = """
WITH deleted AS (
    DELETE FROM comments WHERE id = ANY($1) OR parent_id = ANY($1) RETURNING id, generation_id, parent_id
),
images AS (
    UPDATE generations SET comment_count = comment_count - comments
    FROM (SELECT generation_id, count(*) AS comments FROM deleted GROUP BY generation_id) fewer
    WHERE id = generation_id
)
UPDATE comments SET reply_count = reply_count - replies
FROM (SELECT parent_id, count(*) AS replies FROM deleted GROUP BY parent_id) fewer
WHERE comments.id = fewer.parent_id AND comments.id NOT IN (SELECT id FROM deleted)
"""

DELETE_FOLLOWS = """
DELETE FROM follows WHERE (follower_id, followed_id) IN (
    SELECT follower_id, followed_id FROM (
        (SELECT follower_id, followed_id FROM follows WHERE follower_id = $1 LIMIT $2)
        UNION ALL (SELECT follower_id, followed_id FROM follows WHERE followed_id = $1 LIMIT $2)
    ) either LIMIT $2
)
RETURNING followed_id
"""
DECREMENT_FOLLOWERS = """
UPDATE users SET follower_count = follower_count - fewer
FROM (SELECT id, count(*) AS fewer FROM unnest($1::bigint[]) lost (id) GROUP BY id) lost
WHERE users.id = lost.id
"""

DELETE_NOTIFICATIONS = """
DELETE FROM notifications WHERE id IN (
    (SELECT id FROM notifications WHERE recipient_id = $1 LIMIT $2)
    UNION (SELECT id FROM notifications WHERE actor_id = $1 LIMIT $2)
    LIMIT $2
)
RETURNING id
"""
DELETE_ANSWERS = """
DELETE FROM idempotency_keys WHERE user_id = $1 AND key IN (
    SELECT key FROM idempotency_keys WHERE user_id = $1 LIMIT $2
)
RETURNING key
"""

DELETE_REPORTS = """
DELETE FROM reports WHERE id IN (
    SELECT id FROM reports WHERE owner_id = $1 AND target_type IN ('comment', 'user') LIMIT $2
)
RETURNING id
"""
REPORTS_BY = """
UPDATE reports SET reporter_id = NULL, text = NULL
WHERE id IN (SELECT id FROM reports WHERE reporter_id = $1 LIMIT $2)
RETURNING id
"""
DELETE_REPORTS_OF_WORKS = """
DELETE FROM reports WHERE id IN (SELECT id FROM reports WHERE owner_id = $1 LIMIT $2) RETURNING id
"""

USED_BY_OTHERS = """
SELECT FROM styles JOIN generations ON style_id = styles.id
WHERE styles.artist_id = $1 AND owner_id <> $1 LIMIT 1
"""

IMAGES = """
SELECT id, style_id, result_key, public_key, metadata -> 'late_result' ->> 'result_key' AS late_key
FROM generations
WHERE id IN (
    SELECT id FROM generations WHERE owner_id = $1 AND ended_at IS NOT NULL ORDER BY created_at, id LIMIT $2
)
ORDER BY id FOR UPDATE
"""
UNPUBLISH = "UPDATE generations SET public_key = NULL WHERE id = ANY($1)"
LIKES_OF_IMAGES = """
DELETE FROM likes WHERE (user_id, generation_id) IN (
    SELECT user_id, generation_id FROM likes WHERE generation_id = ANY($1) LIMIT $2
)
RETURNING user_id
"""
COMMENTS_ON_IMAGES = """
DELETE FROM comments WHERE id IN (
    SELECT id FROM comments WHERE generation_id = ANY($1) ORDER BY parent_id NULLS LAST LIMIT $2
)
RETURNING id
"""
ROLL_UP_USES = """
WITH deleted AS (
    DELETE FROM style_uses USING unnest($1::bigint[], $2::bigint[]) image (id, style)
    WHERE style_id = style AND generation_id = image.id
    RETURNING style_id, tokens
)
UPDATE styles SET usage_count = usage_count + images, earned_tokens = earned_tokens + tokens
FROM (SELECT style_id, count(*) AS images, sum(tokens) AS tokens FROM deleted GROUP BY style_id) totals
WHERE styles.id = totals.style_id
"""
REMOVE_IMAGES = "DELETE FROM generations WHERE id = ANY($1)"

LOCK_ARTIST = "SELECT FROM artists WHERE user_id = $1 FOR UPDATE"
LOCK_USER = "SELECT FROM users WHERE id = $1 FOR UPDATE"
"""Waits for uncommitted rows that refer to the user; later ones no longer find the user."""
REFERENCES = """
SELECT FROM users WHERE id = $1 AND (
    EXISTS (SELECT FROM likes WHERE user_id = $1)
    OR EXISTS (SELECT FROM comments WHERE author_id = $1)
    OR EXISTS (SELECT FROM follows WHERE follower_id = $1)
    OR EXISTS (SELECT FROM follows WHERE followed_id = $1)
    OR EXISTS (SELECT FROM notifications WHERE recipient_id = $1)
    OR EXISTS (SELECT FROM notifications WHERE actor_id = $1)
    OR EXISTS (SELECT FROM reports WHERE reporter_id = $1)
    OR EXISTS (SELECT FROM reports WHERE owner_id = $1)
    OR EXISTS (SELECT FROM generations WHERE owner_id = $1)
    OR EXISTS (SELECT FROM styles WHERE artist_id = $1)
)
"""
REMOVE_USER = [
    "DELETE FROM artists WHERE user_id = $1",
    "DELETE FROM users WHERE id = $1",
]
KEEP_IDENTITY = "INSERT INTO erased_identities (identity) VALUES ($1) ON CONFLICT (identity) DO NOTHING"


class PostgresPersonalData(PersonalData):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def revoke_access(self, user_id: UserId) -> None:
        for session in await self._run(END_SESSIONS, user_id, None):
            self._transaction.notify_after_commit(changes.session(session["token_hash"]))
        await self._run(HIDE_ARTIST, user_id)

    async def withdrawal_pending(self, user_id: UserId) -> bool:
        return bool(await self._run(WITHDRAWAL_PENDING, user_id))

    async def unended_images(self, user_id: UserId, *, limit: int) -> list[GenerationId]:
        return [row["id"] for row in await self._transaction.fetch(UNENDED, user_id, limit)]

    async def remove_likes(self, user_id: UserId, *, limit: int) -> int:
        liked = [row["generation_id"] for row in await self._run(LIKES, user_id, limit)]
        await self._run(LOCK_IMAGES, liked)
        await self._run(DELETE_LIKES, user_id, liked)
        return len(liked)

    async def remove_comments(self, user_id: UserId, *, limit: int) -> int:
        comments = await self._run(COMMENTS, user_id, limit)
        await self._run(LOCK_IMAGES, [row["generation_id"] for row in comments])
        await self._run(DELETE_COMMENTS, [row["id"] for row in comments])
        return len(comments)

    async def remove_follows(self, user_id: UserId, *, limit: int) -> int:
        followed = [row["followed_id"] for row in await self._run(DELETE_FOLLOWS, user_id, limit)]
        await self._run(LOCK_USERS, followed)
        await self._run(DECREMENT_FOLLOWERS, followed)
        return len(followed)

    async def remove_notifications(self, user_id: UserId, *, limit: int) -> int:
        return len(await self._run(DELETE_NOTIFICATIONS, user_id, limit))

    async def remove_answers(self, user_id: UserId, *, limit: int) -> int:
        return len(await self._run(DELETE_ANSWERS, user_id, limit))

    async def remove_reports(self, user_id: UserId, *, limit: int) -> int:
        return max([len(await self._run(change, user_id, limit)) for change in (DELETE_REPORTS, REPORTS_BY)])

    async def remove_reports_of_works(self, user_id: UserId, *, limit: int) -> int:
        return len(await self._run(DELETE_REPORTS_OF_WORKS, user_id, limit))

    async def used_by_others(self, user_id: UserId) -> bool:
        return bool(await self._run(USED_BY_OTHERS, user_id))

    async def remove_images(self, user_id: UserId, *, limit: int) -> Removed:
        images = await self._run(IMAGES, user_id, limit)
        ids = [image["id"] for image in images]
        await self._run(UNPUBLISH, [image["id"] for image in images if image["public_key"] is not None])
        rows = [len(await self._run(change, ids, limit)) for change in (LIKES_OF_IMAGES, COMMENTS_ON_IMAGES)]
        if max(rows) < limit:
            styles = [image["style_id"] for image in images]
            await self._run(LOCK_STYLES, styles)
            await self._run(ROLL_UP_USES, ids, styles)
            await self._run(REMOVE_IMAGES, ids)
        keys = [image[name] for image in images for name in ("result_key", "public_key", "late_key")]
        return Removed(len(images), sorted({key for key in keys if key is not None}))

    async def remove_user(self, user_id: UserId, *, identity: bytes) -> bool:
        await self._run(LOCK_USER, user_id)
        await self._run(LOCK_ARTIST, user_id)
        if await self._run(REFERENCES, user_id):
            return False
        for change in REMOVE_USER:
            await self._run(change, user_id)
        await self._run(KEEP_IDENTITY, identity)
        return True

    async def _run(self, sql: str, *args: object) -> list[Record]:
        return await self._transaction.fetch(sql, *args, lock=True)
