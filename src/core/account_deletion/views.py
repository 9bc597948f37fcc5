"""Records that only the export of personal data shows."""

from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import CommentId, GenerationId, StyleId, UserId
from core.purchases.views import PurchaseView
from core.reports.views import ReportView
from core.styles.views import VersionDetail


class IdentityRecord(msgspec.Struct, frozen=True):
    provider: str
    subject: str
    """The provider's id of the user."""
    updated_at: datetime


class SessionRecord(msgspec.Struct, frozen=True):
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    user_agent: str


class VersionRecord(msgspec.Struct, frozen=True):
    style_id: StyleId
    version: VersionDetail


class LikeRecord(msgspec.Struct, frozen=True):
    generation_id: GenerationId
    created_at: datetime

    @property
    def number(self) -> int:
        return self.generation_id


class CommentRecord(msgspec.Struct, frozen=True):
    id: CommentId
    generation_id: GenerationId
    parent_id: CommentId | None
    content: str
    created_at: datetime
    updated_at: datetime

    @property
    def number(self) -> int:
        return self.id


class FollowerRecord(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    followed_at: datetime

    @property
    def number(self) -> int:
        return self.id


class ReportRecord(ReportView, frozen=True):
    @property
    def number(self) -> int:
        return self.id


class ExportReader(Protocol):
    """Sections are paged by a number: the generation's id for likes, the comment's, report's or follower's id.
    Purchases are paged by order id, sessions by token hash, which is returned separately because it is not exported.
    """

    async def identity(self, user_id: UserId) -> IdentityRecord:
        """Raises UserNotFound."""
        ...

    async def sessions(self, user_id: UserId, *, after: bytes, limit: int) -> list[tuple[bytes, SessionRecord]]: ...

    async def likes(self, user_id: UserId, *, after: int, limit: int) -> list[LikeRecord]: ...

    async def comments(self, user_id: UserId, *, after: int, limit: int) -> list[CommentRecord]: ...

    async def followers(self, user_id: UserId, *, after: int, limit: int) -> list[FollowerRecord]: ...

    async def reports(self, user_id: UserId, *, after: int, limit: int) -> list[ReportRecord]:
        """Those that the user has submitted."""
        ...

    async def purchases(self, user_id: UserId, *, after: str, limit: int) -> list[PurchaseView]: ...
