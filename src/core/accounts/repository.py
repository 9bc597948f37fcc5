from datetime import datetime
from typing import Protocol

from core.accounts.model import Artist, Session, User
from core.identifiers import SessionId, UserId
from core.ports.active_sessions import ActiveSessions


class Users(Protocol):
    """Users and artists, in the open transaction."""

    async def of_id(self, user_id: UserId, *, lock: bool = False) -> User:
        """Raises UserNotFound, also for a deleted account."""
        ...

    async def of_identity(self, provider: str, subject: str, *, lock: bool = False) -> User | None:
        """Finds deleted accounts too, until they are erased."""
        ...

    async def suspended(self, user_id: UserId) -> User:
        """The suspended user, locked. Raises UserNotFound if there is none."""
        ...

    async def username_taken(self, username: str) -> bool: ...

    async def add(self, user: User) -> None:
        """Raises UsernameTaken or IdentityTaken; either may surface at the commit."""
        ...

    async def save(self, user: User) -> None:
        """Raises UsernameTaken or UserNotFound; either may surface at the commit."""
        ...

    async def add_artist(self, artist: Artist) -> None:
        """Raises AlreadyArtist or ArtistNameTaken; either may surface at the commit."""
        ...

    async def artist(self, user_id: UserId) -> Artist | None:
        """None if the user is not an artist. Locking the user also locks the artist."""
        ...

    async def save_artist(self, artist: Artist) -> None:
        """Saves name and signature. Raises ArtistNameTaken or UserNotFound; either may surface at the commit."""
        ...

    async def pending_deletion(self, user_id: UserId) -> User | None:
        """The user if their account is deleted and not yet erased, locked."""
        ...

    async def pending_deletions(self, *, limit: int) -> list[UserId]:
        """Up to `limit` users whose account is deleted and not yet erased, first deleted first."""
        ...

    async def was_erased(self, identity: bytes) -> bool:
        """Whether an account with this `identity_hash` was erased."""
        ...


class Sessions(ActiveSessions, Protocol):
    """Sessions that are in force."""

    async def add(self, session: Session) -> None:
        """In the open transaction."""
        ...

    async def end(self, token_hash: bytes) -> None:
        """Revoke a session, in the open transaction; a missing one is no error. Effective from the commit on."""
        ...

    async def end_of_user(self, user_id: UserId, session_id: SessionId) -> bytes:
        """Revoke a session of the user, in the open transaction. Returns its token hash. Raises SessionNotFound."""
        ...

    async def end_all(self, user_id: UserId, *, keep: bytes | None = None) -> int:
        """Revoke all sessions of the user but the one with the token hash `keep`, in the open transaction.

        Returns how many were revoked.
        """
        ...

    async def renew(self, token_hash: bytes, *, at: datetime) -> None:
        """Record that the session was used, and extend its expiry, in the open transaction.

        Changes nothing if the session was revoked or expired, or has been renewed within SEEN_INTERVAL.
        """
        ...

    async def purge_expired(self, *, now: datetime, limit: int) -> int:
        """Remove up to `limit` expired sessions in the open transaction, skipping rows locked by others.

        Returns how many were removed.
        """
        ...
