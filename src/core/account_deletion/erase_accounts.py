from dataclasses import dataclass

from core.account_deletion.erase_account import EraseAccount
from core.accounts.repository import Users
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class EraseAccounts:
    """Go on erasing deleted accounts that have personal data left; any number may run at once."""

    users: Users
    erase: EraseAccount
    transaction: Transaction

    async def __call__(self, *, limit: int = 20) -> int:
        """Answers how many are done with."""
        async with self.transaction:
            pending = await self.users.pending_deletions(limit=limit)
        done = 0
        for user_id in pending:
            done += await self.erase(user_id)
        return done
