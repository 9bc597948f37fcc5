from dataclasses import dataclass

from core.account_deletion.erase_account import EraseLeaver
from core.accounts.repository import Users
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class EraseLeavers:
    """Go on with those who have left and are not erased yet; any number may do so at once."""

    users: Users
    erase: EraseLeaver
    transaction: Transaction

    async def __call__(self, *, limit: int = 20) -> int:
        """Answers how many are done with."""
        async with self.transaction:
            leavers = await self.users.leavers(limit=limit)
        done = 0
        for user_id in leavers:
            done += await self.erase(user_id)
        return done
