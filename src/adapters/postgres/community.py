from datetime import datetime

from adapters.postgres.accounts import picture_url
from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Pool, Record
from adapters.postgres.transaction import PostgresTransaction, Write
from core.accounts.errors import UserNotFound
from core.community.repository import Follows, Likes
from core.community.views import CommunityReader, FollowedUser
from core.identifiers import GenerationId, UserId
from core.paging import Page, PageRequest
from core.ports.blob_store import BlobStore

FOLLOW = Write(
    touches="follows",
    ctes="""
        followed AS (
            INSERT INTO follows (follower_id, followed_id, created_at) VALUES ($1, $2, $3) RETURNING followed_id
        ),
        follower_gained AS (
            UPDATE users SET follower_count = follower_count + 1 FROM followed WHERE id = followed_id
        )""",
)
UNFOLLOW = Write(
    touches="follows",
    ctes="""
        unfollowed AS (DELETE FROM follows WHERE follower_id = $1 AND followed_id = $2 RETURNING followed_id),
        follower_lost AS (
            UPDATE users SET follower_count = follower_count - 1 FROM unfollowed WHERE id = followed_id
        )""",
)
FOLLOWERS = "SELECT follower_count FROM users WHERE id = $1"

LIKE = Write(
    touches="likes",
    ctes="""
        liked AS (
            INSERT INTO likes (user_id, generation_id, created_at) VALUES ($1, $2, $3) RETURNING generation_id
        ),
        like_gained AS (
            UPDATE generations SET like_count = like_count + 1 FROM liked WHERE id = generation_id
        )""",
)
UNLIKE = Write(
    touches="likes",
    ctes="""
        unliked AS (DELETE FROM likes WHERE user_id = $1 AND generation_id = $2 RETURNING generation_id),
        like_lost AS (
            UPDATE generations SET like_count = like_count - 1 FROM unliked WHERE id = generation_id
        )""",
)
LIKES = "SELECT like_count FROM generations WHERE id = $1"


def _following(page: PageRequest, arguments: Arguments) -> str:
    keys = Keys()
    return f"""
    SELECT mine.id, mine.created_at, username, profile_image, artist_name, role, follower_count
    FROM (
        SELECT * FROM (SELECT followed_id AS id, created_at FROM follows WHERE follower_id = $1) named
        WHERE {keys.after(page, arguments)} ORDER BY {keys.order()} {limit(page)}
    ) mine
    JOIN users ON users.id = mine.id
    LEFT JOIN artists ON artists.user_id = mine.id
    ORDER BY {keys.order("mine")}
    """


class PostgresFollows(Follows):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, follower: UserId, followed: UserId, *, at: datetime) -> None:
        await self._transaction.write(FOLLOW, follower, followed, at)

    async def remove(self, follower: UserId, followed: UserId) -> None:
        await self._transaction.write(UNFOLLOW, follower, followed)

    async def count(self, followed: UserId) -> int:
        row = await self._transaction.fetchrow(FOLLOWERS, followed)
        if row is None:
            raise UserNotFound
        count: int = row["follower_count"]
        return count


class PostgresLikes(Likes):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, user_id: UserId, generation_id: GenerationId, *, at: datetime) -> None:
        await self._transaction.write(LIKE, user_id, generation_id, at)

    async def remove(self, user_id: UserId, generation_id: GenerationId) -> None:
        await self._transaction.write(UNLIKE, user_id, generation_id)

    async def count(self, generation_id: GenerationId) -> int:
        [row] = await self._transaction.fetch(LIKES, generation_id)
        count: int = row["like_count"]
        return count


class PostgresCommunityReader(CommunityReader):
    def __init__(self, pool: Pool, blobs: BlobStore) -> None:
        self._pool = pool
        self._blobs = blobs

    async def following(self, follower: UserId, *, page: PageRequest) -> Page[FollowedUser]:
        arguments = Arguments([follower])
        sql = _following(page, arguments)
        rows, following = cut(await self._pool.fetch(sql, *arguments), page)
        return Page([self._followed(row) for row in rows], following)

    def _followed(self, row: Record) -> FollowedUser:
        return FollowedUser(
            id=row["id"],
            username=row["username"],
            profile_image=picture_url(row["profile_image"], self._blobs),
            artist_name=row["artist_name"],
            role=row["role"],
            follower_count=row["follower_count"],
            followed_at=row["created_at"],
        )
