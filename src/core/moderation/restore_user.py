from dataclasses import dataclass

from core.accounts.repository import Users
from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RestoreUser:
    """Let a suspended user sign in again. The styles stay closed until the artist opens them."""

    users: Users
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId, *, reason: str) -> None:
        """Raises UserNotFound, also for a user who is not suspended, or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            user = await self.users.suspended(user_id)
            restored = user.restore(at=self.clock.now())
            await self.users.save(restored)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.USER_RESTORED,
                    "user",
                    str(user_id),
                    restored.updated_at,
                    before={"standing": user.standing.value},
                    after={"standing": restored.standing.value},
                    reason=reason,
                )
            )
