from datetime import datetime
from typing import Protocol

import msgspec

from core.derivatives import ImageUrls
from core.identifiers import SessionId, UserId
from core.paging import Page, PageRequest


class MeArtist(msgspec.Struct, frozen=True):
    id: UserId
    artist_name: str
    signature_image_url: str
    verified_email: str
    earned_token_balance: int
    follower_count: int


class Me(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    email: str | None
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""
    role: str
    token_balance: int
    """Tokens available to spend."""
    bio: str
    created_at: datetime
    artist: MeArtist | None


class ProfileArtist(msgspec.Struct, frozen=True):
    id: UserId
    artist_name: str
    follower_count: int


class ProfileStats(msgspec.Struct, frozen=True):
    total_generations: int
    """Completed images, public or private."""
    public_generations: int
    following_count: int


class Profile(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    profile_image: str | None
    images: ImageUrls | None
    """The profile image in all sizes; null without one."""
    bio: str
    role: str
    created_at: datetime
    is_following: bool
    """Whether the viewer follows this user."""
    artist: ProfileArtist | None
    stats: ProfileStats


class OwnProfile(Profile, frozen=True):
    updated_at: datetime


class Admin(msgspec.Struct, frozen=True):
    id: UserId
    username: str
    email: str | None


class SessionView(msgspec.Struct, frozen=True):
    id: SessionId
    created_at: datetime
    last_seen_at: datetime
    """To within an hour."""
    expires_at: datetime
    """Moves on while the session is used."""
    user_agent: str
    current: bool
    """Whether this request was made with it."""


class AccountsReader(Protocol):
    async def me(self, user_id: UserId) -> Me:
        """Raises UserNotFound."""
        ...

    async def profile(self, user_id: UserId, *, viewer: UserId | None) -> Profile:
        """Raises UserNotFound."""
        ...

    async def own_profile(self, user_id: UserId) -> OwnProfile:
        """Raises UserNotFound."""
        ...

    async def sessions(self, user_id: UserId, *, current: bytes, at: datetime, page: PageRequest) -> Page[SessionView]:
        """The user's sessions in force, newest first. `current` is the token hash of the requester's own."""
        ...

    async def find(self, who: str) -> UserId:
        """The user with this id, username or e-mail address, suspended or not. Raises NotOneUser."""
        ...

    async def admins(self) -> list[Admin]:
        """By id."""
        ...
