from dataclasses import dataclass

from core.accounts.errors import NotOneUser
from core.accounts.model import User
from core.accounts.repository import Users
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MakeAdmin:
    """Let somebody who has signed in see to what only admins may."""

    users: Users
    transaction: Transaction
    clock: Clock

    async def __call__(self, email: str) -> User:
        """Raises NotOneUser, also when several have this address: it has to be clear who is meant."""
        async with self.transaction:
            named = await self.users.of_email(email, lock=True)
            if len(named) != 1:
                raise NotOneUser(email, found=len(named))
            admin = named[0].became_admin(at=self.clock.now())
            await self.users.save(admin)
        return admin
