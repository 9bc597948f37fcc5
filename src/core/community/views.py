from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import UserId
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
    artist_name: str | None
    """None for who is no artist."""
    role: str
    follower_count: int
    followed_at: datetime


class CommunityReader(Protocol):
    async def following(self, follower: UserId, *, page: PageRequest) -> Page[FollowedUser]:
        """Whom they follow, those followed last first."""
        ...
