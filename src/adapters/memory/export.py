from adapters.memory.accounts import found
from adapters.memory.database import Reads
from adapters.memory.reports import report_columns
from core.account_deletion.views import (
    CommentRecord,
    ExportReader,
    FollowerRecord,
    IdentityRecord,
    LikeRecord,
    ReportRecord,
    SessionRecord,
)
from core.identifiers import UserId
from core.purchases.views import PurchaseView, purchase_view


class MemoryExportReader(ExportReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def identity(self, user_id: UserId) -> IdentityRecord:
        user = found(self._reads.tables, user_id)
        return IdentityRecord(user.provider, user.subject, user.updated_at)

    async def sessions(self, user_id: UserId, *, after: bytes, limit: int) -> list[tuple[bytes, SessionRecord]]:
        sessions = self._reads.tables.sessions.values()
        own = [session for session in sessions if session.user_id == user_id and session.token_hash > after]
        return [
            (own.token_hash, SessionRecord(own.created_at, own.last_seen_at, own.expires_at, own.user_agent))
            for own in sorted(own, key=lambda session: session.token_hash)[:limit]
        ]

    async def likes(self, user_id: UserId, *, after: int, limit: int) -> list[LikeRecord]:
        likes = self._reads.tables.likes.items()
        own = [LikeRecord(image_id, at) for (image_id, by), at in likes if by == user_id and image_id > after]
        return sorted(own, key=lambda like: like.number)[:limit]

    async def comments(self, user_id: UserId, *, after: int, limit: int) -> list[CommentRecord]:
        comments = self._reads.tables.comments.values()
        own = [
            CommentRecord(
                comment.id,
                comment.generation_id,
                comment.parent_id,
                comment.content,
                comment.created_at,
                comment.updated_at,
            )
            for comment in comments
            if comment.author_id == user_id and comment.id > after
        ]
        return sorted(own, key=lambda comment: comment.number)[:limit]

    async def followers(self, user_id: UserId, *, after: int, limit: int) -> list[FollowerRecord]:
        tables = self._reads.tables
        own = [
            FollowerRecord(follower, tables.users[follower].username, at)
            for (follower, followed), at in tables.follows.items()
            if followed == user_id and follower > after
        ]
        return sorted(own, key=lambda follower: follower.number)[:limit]

    async def reports(self, user_id: UserId, *, after: int, limit: int) -> list[ReportRecord]:
        reports = self._reads.tables.reports.values()
        own = [report for report in reports if report.reporter_id == user_id and report.id > after]
        return [ReportRecord(*report_columns(report)) for report in sorted(own, key=lambda one: one.id)[:limit]]

    async def purchases(self, user_id: UserId, *, after: str, limit: int) -> list[PurchaseView]:
        purchases = self._reads.tables.purchases.values()
        own = [purchase for purchase in purchases if purchase.user_id == user_id and purchase.order_id > after]
        own.sort(key=lambda purchase: purchase.order_id)
        return [purchase_view(purchase) for purchase in own[:limit]]
