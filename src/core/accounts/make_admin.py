from dataclasses import dataclass

from core.accounts.model import User
from core.accounts.repository import Users
from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MakeAdmin:
    """Give the admin role to a user who has signed in before."""

    users: Users
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId) -> User:
        """Raises UserNotFound."""
        async with self.transaction:
            user = await self.users.of_id(user_id, lock=True)
            admin = user.become_admin(at=self.clock.now())
            await self.users.save(admin)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.ADMIN_MADE,
                    "user",
                    str(admin.id),
                    admin.updated_at,
                    before={"role": user.role.value},
                    after={"role": admin.role.value},
                )
            )
        return admin
