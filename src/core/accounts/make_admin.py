from dataclasses import dataclass

from core.accounts.errors import NotOneUser
from core.accounts.model import User
from core.accounts.repository import Users
from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MakeAdmin:
    """Give the admin role to a user who has signed in before."""

    users: Users
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, email: str) -> User:
        """Raises NotOneUser, also when several users have this address."""
        async with self.transaction:
            named = await self.users.of_email(email, lock=True)
            if len(named) != 1:
                raise NotOneUser(email, found=len(named))
            admin = named[0].become_admin(at=self.clock.now())
            await self.users.save(admin)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.ADMIN_MADE,
                    "user",
                    str(admin.id),
                    admin.updated_at,
                    before={"role": named[0].role.value},
                    after={"role": admin.role.value},
                )
            )
        return admin
