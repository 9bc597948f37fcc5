from dataclasses import dataclass

from core.accounts.model import User
from core.accounts.repository import Users
from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RemoveAdmin:
    """Take the admin role away; an artist stays an artist."""

    users: Users
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId) -> User:
        """Raises UserNotFound or NotAnAdmin."""
        async with self.transaction:
            admin = await self.users.of_id(user_id, lock=True)
            is_artist = await self.users.artist(user_id) is not None
            user = admin.resign_as_admin(at=self.clock.now(), is_artist=is_artist)
            await self.users.save(user)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.ADMIN_REMOVED,
                    "user",
                    str(user_id),
                    user.updated_at,
                    before={"role": admin.role.value},
                    after={"role": user.role.value},
                )
            )
        return user
