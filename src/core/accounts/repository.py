from datetime import datetime
from typing import Protocol

from core.accounts.model import Artist, Session, User
from core.identifiers import UserId
from core.requester import Requester


class Users(Protocol):
    """Users and the artists among them, in the open transaction."""

    async def of_id(self, user_id: UserId, *, lock: bool = False) -> User:
        """Raises UserNotFound, for who has left too."""
        ...

    async def of_identity(self, provider: str, subject: str, *, lock: bool = False) -> User | None:
        """Who has left is found, until they are erased."""
        ...

    async def of_email(self, email: str, *, lock: bool = False) -> list[User]:
        """Everybody who has this address and has not left."""
        ...

    async def username_taken(self, username: str) -> bool: ...

    async def add(self, user: User) -> None:
        """Raises UsernameTaken or IdentityTaken; either may surface at the commit."""
        ...

    async def save(self, user: User) -> None:
        """Raises UsernameTaken or UserNotFound; either may surface at the commit."""
        ...

    async def add_artist(self, artist: Artist) -> None:
        """Raises AlreadyArtist, which may surface at the commit."""
        ...

    async def artist(self, user_id: UserId) -> Artist | None:
        """None for users who are no artists. The user's lock is the artist's too."""
        ...

    async def save_artist(self, artist: Artist) -> None:
        """Name and signature. Raises UserNotFound, which may surface at the commit."""
        ...

    async def pending_deletion(self, user_id: UserId) -> User | None:
        """The user if their account is deleted and not yet erased, locked."""
        ...

    async def pending_deletions(self, *, limit: int) -> list[UserId]:
        """Up to `limit` users whose account is deleted and not yet erased, first deleted first."""
        ...

    async def was_erased(self, identity: bytes) -> bool:
        """Whether somebody with this identity, as `identity_hash` has it, has been erased."""
        ...


class Sessions(Protocol):
    """Sign-ins that are in force."""

    async def add(self, session: Session) -> None:
        """In the open transaction."""
        ...

    async def end(self, token_hash: bytes) -> None:
        """In the open transaction; one that is not there is no error. From the commit on it signs nobody in."""
        ...

    async def requester(self, token_hash: bytes, *, at: datetime) -> Requester | None:
        """Who signed in with this token, unless the session has ended or expired; outside any transaction."""
        ...

    async def drop_expired(self, *, now: datetime, limit: int) -> int:
        """Remove up to `limit` that have expired, in the open transaction; those that another removes are passed over.

        Answers how many were removed.
        """
        ...
