from datetime import datetime

import msgspec

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Reads, Record
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Write, assignments
from core.accounts.errors import UserNotFound
from core.accounts.pictures import picture_urls
from core.community.errors import CommentNotFound
from core.community.model import Comment
from core.community.repository import Comments, Follows, Likes
from core.community.views import INLINE_REPLIES, CommentUser, CommentView, CommunityReader, FollowedUser, ReplyView
from core.derivatives import original
from core.generations.errors import GenerationNotFound
from core.identifiers import CommentId, GenerationId, UserId
from core.paging import Page, PageRequest
from core.ports.blob_store import BlobStore

FOLLOW = Write(
    target="follows",
    columns="follows",
    ctes="""
        followed AS (
            INSERT INTO follows (follower_id, followed_id, created_at)
            SELECT follower_id, followed_id, input_follows.created_at
            FROM input_follows JOIN users ON users.id = followed_id AND standing = 'present'
            RETURNING followed_id
        ),
        follower_gained AS (
            UPDATE users SET follower_count = follower_count + 1 FROM followed WHERE id = followed_id
        )""",
    finds="followed",
    rule="user_found",
)
UNFOLLOW = Write(
    target="follows",
    columns="follower_id bigint, followed_id bigint",
    ctes="""
        unfollowed AS (
            DELETE FROM follows USING input_follows input
            WHERE follows.follower_id = input.follower_id AND follows.followed_id = input.followed_id
            RETURNING follows.followed_id
        ),
        follower_lost AS (
            UPDATE users SET follower_count = follower_count - 1 FROM unfollowed WHERE id = followed_id
        )""",
)
FOLLOWERS = "SELECT follower_count FROM users WHERE id = $1"

LIKE = Write(
    target="likes",
    columns="likes",
    ctes="""
        liked AS (
            INSERT INTO likes (user_id, generation_id, created_at)
            SELECT user_id, generation_id, created_at FROM input_likes
            RETURNING generation_id
        ),
        like_gained AS (
            UPDATE generations SET like_count = like_count + 1 FROM liked WHERE id = generation_id
        )""",
)
UNLIKE = Write(
    target="likes",
    columns="user_id bigint, generation_id bigint",
    ctes="""
        unliked AS (
            DELETE FROM likes USING input_likes input
            WHERE likes.user_id = input.user_id AND likes.generation_id = input.generation_id
            RETURNING likes.generation_id
        ),
        like_lost AS (
            UPDATE generations SET like_count = like_count - 1 FROM unliked WHERE id = generation_id
        )""",
)
LIKED = "SELECT FROM likes WHERE user_id = $1 AND generation_id = $2"
LIKES = "SELECT like_count FROM generations WHERE id = $1"

COMMENT = """
SELECT id, generation_id, author_id, content, created_at, updated_at, parent_id, hidden FROM comments WHERE id = $1
"""
COMMENT_COLUMNS = ("id", "generation_id", "author_id", "content", "created_at", "updated_at", "parent_id")
ADD_COMMENT = Write(
    target="comments",
    columns="comments",
    ctes=f"""
        added_comment AS (
            INSERT INTO comments ({", ".join(COMMENT_COLUMNS)}) SELECT {", ".join(COMMENT_COLUMNS)} FROM input_comments
        ),
        comment_gained AS (
            UPDATE generations SET comment_count = comment_count + 1
            FROM input_comments input WHERE generations.id = input.generation_id
        ),
        reply_gained AS (
            UPDATE comments SET reply_count = comments.reply_count + 1
            FROM input_comments input WHERE comments.id = input.parent_id
        )""",
)
SAVE_COMMENT = Write(
    target="comments",
    columns="comments",
    ctes=f"""
        saved_comment AS (
            UPDATE comments SET {assignments(("content", "updated_at", "hidden"), "input")}
            FROM input_comments input WHERE comments.id = input.id
            RETURNING comments.id
        )""",
    finds="saved_comment",
    rule="comment_found",
)
REMOVE_COMMENT = Write(
    target="comments",
    columns="comments",
    ctes="""
        removed_comments AS (
            DELETE FROM comments USING input_comments input
            WHERE comments.id = input.id OR comments.parent_id = input.id
            RETURNING comments.id, comments.generation_id, comments.parent_id
        ),
        removed_comment AS (SELECT removed.* FROM removed_comments removed JOIN input_comments USING (id)),
        comments_lost AS (
            UPDATE generations SET comment_count = comment_count - lost.count
            FROM (SELECT generation_id, count(*) FROM removed_comments GROUP BY generation_id) lost
            WHERE id = lost.generation_id
        ),
        reply_lost AS (
            UPDATE comments SET reply_count = reply_count - 1 FROM removed_comment removed
            WHERE comments.id = removed.parent_id
        )""",
    finds="removed_comment",
    rule="comment_found",
)

SHOWN = """
    comments.id, comments.author_id, username, profile_image, comments.hidden, parent_id, reply_count,
    CASE WHEN comments.hidden THEN '' ELSE content END AS content, comments.created_at, comments.updated_at
"""
VISIBLE = "(image.owner_id = $1 OR image.public_key IS NOT NULL)"
VIEW = f"""
SELECT {SHOWN}
FROM comments
JOIN generations image ON image.id = generation_id
JOIN users ON users.id = author_id
WHERE comments.id = $2 AND {VISIBLE}
"""
FIRST_REPLIES = f"""
SELECT {SHOWN}
FROM unnest($1::bigint[]) parent (id)
CROSS JOIN LATERAL (
    SELECT * FROM comments WHERE parent_id = parent.id ORDER BY created_at, id LIMIT {INLINE_REPLIES}
) comments
JOIN users ON users.id = author_id
ORDER BY comments.created_at, comments.id
"""


def _comments(page: PageRequest, arguments: Arguments) -> str:
    """The image, if visible to the viewer, joined with the page: at least one row if it is."""
    keys = Keys()
    return f"""
    SELECT {SHOWN}
    FROM generations image
    LEFT JOIN (
        SELECT * FROM comments WHERE generation_id = $2 AND parent_id IS NULL AND {keys.after(page, arguments)}
        ORDER BY {keys.order()} {limit(page)}
    ) comments ON true
    LEFT JOIN users ON users.id = author_id
    WHERE image.id = $2 AND {VISIBLE}
    ORDER BY {keys.order("comments")}
    """


def _replies(page: PageRequest, arguments: Arguments) -> str:
    keys = Keys(oldest_first=True)
    return f"""
    SELECT {SHOWN}
    FROM (SELECT generation_id AS image_id FROM comments WHERE id = $2) parent
    JOIN generations image ON image.id = image_id AND {VISIBLE}
    LEFT JOIN (
        SELECT * FROM comments WHERE parent_id = $2 AND {keys.after(page, arguments)}
        ORDER BY {keys.order()} {limit(page)}
    ) comments ON true
    LEFT JOIN users ON users.id = author_id
    ORDER BY {keys.order("comments")}
    """


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
        await self._transaction.write(FOLLOW, {"follower_id": follower, "followed_id": followed, "created_at": at})

    async def remove(self, follower: UserId, followed: UserId) -> None:
        await self._transaction.write(UNFOLLOW, {"follower_id": follower, "followed_id": followed})

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
        await self._transaction.write(LIKE, {"user_id": user_id, "generation_id": generation_id, "created_at": at})

    async def remove(self, user_id: UserId, generation_id: GenerationId) -> None:
        await self._transaction.write(UNLIKE, {"user_id": user_id, "generation_id": generation_id})

    async def exists(self, user_id: UserId, generation_id: GenerationId) -> bool:
        return await self._transaction.fetchrow(LIKED, user_id, generation_id) is not None

    async def count(self, generation_id: GenerationId) -> int:
        [row] = await self._transaction.fetch(LIKES, generation_id)
        count: int = row["like_count"]
        return count


class PostgresComments(Comments):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, comment_id: CommentId, *, lock: bool = False) -> Comment:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(f"{COMMENT} {locking}", comment_id, lock=lock)
        if row is None:
            raise CommentNotFound
        return Comment(**row)

    async def add(self, comment: Comment) -> None:
        await self._transaction.write(ADD_COMMENT, msgspec.structs.asdict(comment))

    async def save(self, comment: Comment) -> None:
        await self._transaction.write(SAVE_COMMENT, msgspec.structs.asdict(comment))

    async def remove(self, comment: Comment) -> None:
        await self._transaction.write(REMOVE_COMMENT, msgspec.structs.asdict(comment))


class PostgresCommunityReader(CommunityReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def following(self, follower: UserId, *, page: PageRequest) -> Page[FollowedUser]:
        arguments = Arguments([follower])
        sql = _following(page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([self._followed(row) for row in rows], following)

    def _followed(self, row: Record) -> FollowedUser:
        images = picture_urls(row["profile_image"], self._blobs)
        return FollowedUser(
            id=row["id"],
            username=row["username"],
            profile_image=original(images),
            images=images,
            artist_name=row["artist_name"],
            role=row["role"],
            follower_count=row["follower_count"],
            followed_at=row["created_at"],
        )

    async def comments(
        self, generation_id: GenerationId, *, viewer: UserId | None, page: PageRequest
    ) -> Page[CommentView]:
        arguments = Arguments([viewer, generation_id])
        sql = _comments(page, arguments)
        found = await self._reads.fetch(sql, *arguments)
        if not found:
            raise GenerationNotFound
        rows, following = cut([row for row in found if row["id"] is not None], page)
        return Page(await self._views(rows), following)

    async def replies(self, comment_id: CommentId, *, viewer: UserId | None, page: PageRequest) -> Page[ReplyView]:
        arguments = Arguments([viewer, comment_id])
        sql = _replies(page, arguments)
        found = await self._reads.fetch(sql, *arguments)
        if not found:
            raise CommentNotFound
        rows, following = cut([row for row in found if row["id"] is not None], page)
        return Page([self._reply(row) for row in rows], following)

    async def comment(self, comment_id: CommentId, *, viewer: UserId | None) -> CommentView:
        rows = await self._reads.fetch(VIEW, viewer, comment_id)
        if not rows:
            raise CommentNotFound
        [view] = await self._views(rows)
        return view

    async def _views(self, rows: list[Record]) -> list[CommentView]:
        replies: dict[int, list[ReplyView]] = {row["id"]: [] for row in rows}
        if answered := [row["id"] for row in rows if row["reply_count"]]:
            for row in await self._reads.fetch(FIRST_REPLIES, answered):
                replies[row["parent_id"]].append(self._reply(row))
        return [
            CommentView(
                id=row["id"],
                user=self._user(row),
                content=row["content"],
                is_hidden=row["hidden"],
                parent_id=row["parent_id"],
                reply_count=row["reply_count"],
                replies=replies[row["id"]],
                created_at=row["created_at"],
                updated_at=row["updated_at"],
            )
            for row in rows
        ]

    def _reply(self, row: Record) -> ReplyView:
        return ReplyView(
            id=row["id"],
            user=self._user(row),
            content=row["content"],
            is_hidden=row["hidden"],
            parent_id=row["parent_id"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    def _user(self, row: Record) -> CommentUser:
        images = picture_urls(row["profile_image"], self._blobs)
        return CommentUser(row["author_id"], row["username"], original(images), images)
