from dataclasses import dataclass

from core.accounts.repository import Users
from core.community.repository import Follows
from core.identifiers import UserId
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class UnfollowUser:
    """Unfollow a user; no error if the user is not followed."""

    users: Users
    follows: Follows
    transaction: Transaction

    async def __call__(self, requester: UserId, followed: UserId) -> None:
        async with self.transaction:
            await self.users.of_id(followed)
            await self.follows.remove(requester, followed)
