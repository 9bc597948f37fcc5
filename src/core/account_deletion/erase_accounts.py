from dataclasses import dataclass

from core.account_deletion.erase_account import EraseAccount
from core.accounts.repository import Users
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class EraseAccounts:
    """Continue erasing deleted accounts that have personal data left. Safe to run concurrently."""

    users: Users
    erase: EraseAccount
    transaction: Transaction

    async def __call__(self, *, limit: int = 20) -> int:
        """Return how many accounts were erased completely."""
        async with self.transaction:
            pending = await self.users.pending_deletions(limit=limit)
        done = 0
        for user_id in pending:
            done += await self.erase(user_id)
        return done
