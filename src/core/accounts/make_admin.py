from dataclasses import dataclass

from core.accounts.errors import NotOneUser
from core.accounts.model import User
from core.accounts.repository import Users
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MakeAdmin:
    """Give the admin role to a user who has signed in before."""

    users: Users
    transaction: Transaction
    clock: Clock

    async def __call__(self, email: str) -> User:
        """Raises NotOneUser, also when several users have this address."""
        async with self.transaction:
            named = await self.users.of_email(email, lock=True)
            if len(named) != 1:
                raise NotOneUser(email, found=len(named))
            admin = named[0].become_admin(at=self.clock.now())
            await self.users.save(admin)
        return admin
