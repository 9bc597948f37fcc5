from adapters.postgres.pool import Reads
from adapters.postgres.purchases import VIEWS, purchase_view
from core.account_deletion.views import (
    CommentRecord,
    ExportReader,
    FollowerRecord,
    IdentityRecord,
    LikeRecord,
    ReportRecord,
    SessionRecord,
)
from core.accounts.errors import UserNotFound
from core.identifiers import UserId
from core.purchases.views import PurchaseView

IDENTITY = "SELECT provider, subject, updated_at FROM users WHERE id = $1 AND standing = 'present'"
SESSIONS = """
SELECT token_hash, created_at, last_seen_at, expires_at, user_agent FROM sessions
WHERE user_id = $1 AND token_hash > $2 ORDER BY token_hash LIMIT $3
"""
LIKES = """
SELECT generation_id, created_at FROM likes WHERE user_id = $1 AND generation_id > $2 ORDER BY generation_id LIMIT $3
"""
COMMENTS = """
SELECT id, generation_id, parent_id, content, created_at, updated_at FROM comments
WHERE author_id = $1 AND id > $2 ORDER BY id LIMIT $3
"""
FOLLOWERS = """
SELECT users.id, username, follows.created_at AS followed_at FROM follows JOIN users ON users.id = follower_id
WHERE followed_id = $1 AND follower_id > $2 ORDER BY follower_id LIMIT $3
"""
REPORTS = """
SELECT id, target_type, target_id, reason, text, status, created_at, ended_at FROM reports
WHERE reporter_id = $1 AND id > $2 ORDER BY id LIMIT $3
"""
PURCHASES = f"""
{VIEWS}
WHERE user_id = $1 AND order_id COLLATE "C" > $2 ORDER BY order_id COLLATE "C" LIMIT $3
"""


class PostgresExportReader(ExportReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def identity(self, user_id: UserId) -> IdentityRecord:
        row = await self._reads.fetchrow(IDENTITY, user_id)
        if row is None:
            raise UserNotFound
        return IdentityRecord(**row)

    async def sessions(self, user_id: UserId, *, after: bytes, limit: int) -> list[tuple[bytes, SessionRecord]]:
        return [
            (
                row["token_hash"],
                SessionRecord(row["created_at"], row["last_seen_at"], row["expires_at"], row["user_agent"]),
            )
            for row in await self._reads.fetch(SESSIONS, user_id, after, limit)
        ]

    async def likes(self, user_id: UserId, *, after: int, limit: int) -> list[LikeRecord]:
        return [LikeRecord(**row) for row in await self._reads.fetch(LIKES, user_id, after, limit)]

    async def comments(self, user_id: UserId, *, after: int, limit: int) -> list[CommentRecord]:
        return [CommentRecord(**row) for row in await self._reads.fetch(COMMENTS, user_id, after, limit)]

    async def followers(self, user_id: UserId, *, after: int, limit: int) -> list[FollowerRecord]:
        return [FollowerRecord(**row) for row in await self._reads.fetch(FOLLOWERS, user_id, after, limit)]

    async def reports(self, user_id: UserId, *, after: int, limit: int) -> list[ReportRecord]:
        return [ReportRecord(**row) for row in await self._reads.fetch(REPORTS, user_id, after, limit)]

    async def purchases(self, user_id: UserId, *, after: str, limit: int) -> list[PurchaseView]:
        return [purchase_view(row) for row in await self._reads.fetch(PURCHASES, user_id, after, limit)]
