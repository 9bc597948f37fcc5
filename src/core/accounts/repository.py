from datetime import datetime
from typing import Protocol

import msgspec

from core.accounts.model import Artist, Requester, Session, User
from core.identifiers import GenerationId, StyleId, UserId


class Users(Protocol):
    """Users and the artists among them, in the open transaction."""

    async def of_id(self, user_id: UserId, *, lock: bool = False) -> User:
        """Raises UserNotFound, for who has left too."""
        ...

    async def of_identity(self, provider: str, subject: str) -> User | None:
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

    async def leaver(self, user_id: UserId) -> User | None:
        """Somebody who is leaving and not erased yet, locked."""
        ...

    async def leavers(self, *, limit: int) -> list[UserId]:
        """Up to `limit` who are leaving, those who left first, first."""
        ...

    async def was_here(self, identity: bytes) -> bool:
        """Whether somebody with this identity, as `identity_hash` has it, has been erased."""
        ...


class Removed(msgspec.Struct, frozen=True):
    rows: int
    """How many were taken; 0 once there are none."""
    places: list[str]
    """Where in the store the objects lie that belonged to them."""


class Traces(Protocol):
    """What somebody leaves behind, taken away in pieces, each in the open transaction.

    A removal takes some `limit` rows at most and answers how many: less than `limit` once there are no more. It keeps
    all that others are shown exact, their counts above all. Any number may work at the same one at once.
    """

    async def lock_out(self, user_id: UserId, *, at: datetime) -> None:
        """From the commit on none of their sessions signs anybody in, none of their styles is for sale, no search
        finds them, and no money is taken for a purchase of theirs; what was taken just before is still asked for."""
        ...

    async def withdrawal_pending(self, user_id: UserId) -> bool: ...

    async def unended_images(self, user_id: UserId, *, limit: int) -> list[GenerationId]: ...

    async def remove_likes(self, user_id: UserId, *, limit: int) -> int: ...

    async def remove_comments(self, user_id: UserId, *, limit: int) -> int:
        """With the replies to them."""
        ...

    async def remove_follows(self, user_id: UserId, *, limit: int) -> int:
        """Those of others as well as their own."""
        ...

    async def remove_notifications(self, user_id: UserId, *, limit: int) -> int:
        """Those to them, and those to others that name them."""
        ...

    async def remove_answers(self, user_id: UserId, *, limit: int) -> int:
        """What their calls with a key of their own were answered."""
        ...

    async def used_by_others(self, user_id: UserId) -> bool:
        """Whether somebody else ever asked for an image with a style of theirs that is still there."""
        ...

    async def remove_images(self, user_id: UserId, *, limit: int) -> Removed:
        """Of those that have ended, with all that others have said of them; hidden first. The styles that they were
        made with are as often used as before."""
        ...

    async def styles(self, user_id: UserId) -> list[StyleId]: ...

    async def remove_user(self, user_id: UserId, *, identity: bytes) -> bool:
        """The user, and the artist; False while there is anything left of what the others remove.

        Tokens, purchases and withdrawals stay, under a number that nobody has any more. So does `identity`.
        """
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
