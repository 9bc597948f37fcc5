from datetime import datetime
from typing import Protocol

import msgspec

from core.derivatives import ImageUrls
from core.identifiers import CommentId, GenerationId, UserId
from core.paging import Page, PageRequest


class Followed(msgspec.Struct, frozen=True):
    following: bool
    follower_count: int


class Liked(msgspec.Struct, frozen=True):
    liked: bool
    like_count: int


class FollowedUser(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""
    artist_name: str | None
    """None if the user is not an artist."""
    role: str
    follower_count: int
    followed_at: datetime


INLINE_REPLIES = 3
"""Replies included with their parent comment."""


class CommentUser(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""


class ReplyView(msgspec.Struct, frozen=True):
    id: CommentId
    user: CommentUser
    content: str
    """Empty while it is hidden."""
    is_hidden: bool
    """Until an admin has decided on reports of it."""
    parent_id: CommentId
    created_at: datetime
    updated_at: datetime


class CommentView(msgspec.Struct, frozen=True):
    id: CommentId
    user: CommentUser
    content: str
    """Empty while it is hidden."""
    is_hidden: bool
    """Until an admin has decided on reports of it."""
    parent_id: CommentId | None
    reply_count: int
    replies: list[ReplyView]
    """The first INLINE_REPLIES of them, oldest first."""
    created_at: datetime
    updated_at: datetime


class CommunityReader(Protocol):
    async def following(self, follower: UserId, *, page: PageRequest) -> Page[FollowedUser]:
        """Users whom `follower` follows, latest first."""
        ...

    async def comments(
        self, generation_id: GenerationId, *, viewer: UserId | None, page: PageRequest
    ) -> Page[CommentView]:
        """Top-level comments, newest first. Raises GenerationNotFound."""
        ...

    async def replies(self, comment_id: CommentId, *, viewer: UserId | None, page: PageRequest) -> Page[ReplyView]:
        """Oldest first. Raises CommentNotFound."""
        ...

    async def comment(self, comment_id: CommentId, *, viewer: UserId | None) -> CommentView:
        """Visible to users who may see the image; others get CommentNotFound."""
        ...
