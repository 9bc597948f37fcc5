from typing import Protocol

import msgspec

from core.identifiers import GenerationId, UserId


class Removed(msgspec.Struct, frozen=True):
    rows: int
    """How many rows were removed; 0 once none are left."""
    objects: list[str]
    """Keys of their objects in the store."""


class PersonalData(Protocol):
    """The personal data of an account that is being deleted, removed in batches, each in the open transaction.

    A removal removes up to `limit` rows and returns how many: fewer than `limit` when none are left. Counts shown to
    other users stay exact. Any number of processes may remove the data of the same account.
    """

    async def revoke_access(self, user_id: UserId) -> None:
        """From the commit on, the user's sessions are revoked, and search does not find the artist."""
        ...

    async def withdrawal_pending(self, user_id: UserId) -> bool: ...

    async def unended_images(self, user_id: UserId, *, limit: int) -> list[GenerationId]: ...

    async def remove_likes(self, user_id: UserId, *, limit: int) -> int: ...

    async def remove_comments(self, user_id: UserId, *, limit: int) -> int:
        """Includes replies to them."""
        ...

    async def remove_follows(self, user_id: UserId, *, limit: int) -> int:
        """In both directions."""
        ...

    async def remove_notifications(self, user_id: UserId, *, limit: int) -> int:
        """Notifications to the user, and those to others whose actor is the user."""
        ...

    async def remove_answers(self, user_id: UserId, *, limit: int) -> int:
        """Replayable answers stored under the user's idempotency keys."""
        ...

    async def remove_reports(self, user_id: UserId, *, limit: int) -> int:
        """Reports of the user and of the user's comments. Those by the user stay, without their text and reporter."""
        ...

    async def remove_reports_of_works(self, user_id: UserId, *, limit: int) -> int:
        """Reports of the user's images and styles."""
        ...

    async def used_by_others(self, user_id: UserId) -> bool:
        """Whether another user ever requested a generation with one of the artist's existing styles."""
        ...

    async def remove_images(self, user_id: UserId, *, limit: int) -> Removed:
        """Remove ended generations with their likes, comments and notifications; private ones first. Usage counts of
        their styles stay.
        """
        ...

    async def remove_user(self, user_id: UserId, *, identity: bytes) -> bool:
        """Remove the user and the artist; returns False while anything that the other methods remove is left.

        Transfers, purchases and withdrawals stay, under an id that no longer has a user. `identity` is kept.
        """
        ...
