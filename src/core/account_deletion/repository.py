from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import GenerationId, StyleId, UserId


class Removed(msgspec.Struct, frozen=True):
    rows: int
    """How many were taken; 0 once there are none."""
    places: list[str]
    """Where in the store the objects lie that belonged to them."""


class PersonalData(Protocol):
    """The personal data of an account that is being deleted, removed in batches, each in the open transaction.

    A removal takes up to `limit` rows and answers how many it took: less than `limit` when none are left. All counts
    that others are shown stay exact. Any number of processes may remove the data of the same account.
    """

    async def revoke_access(self, user_id: UserId, *, at: datetime) -> None:
        """From the commit on their sessions are revoked, their styles are closed, no search finds them, and no
        payment of theirs is captured; the provider is still asked about one that was captured just before."""
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
