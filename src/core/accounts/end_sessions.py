from dataclasses import dataclass

from core.accounts.repository import Sessions, Users
from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class EndSessions:
    """Revoke all sessions of a user, who can sign in again."""

    users: Users
    sessions: Sessions
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId) -> int:
        """Returns how many there were. Raises UserNotFound."""
        async with self.transaction:
            await self.users.of_id(user_id, lock=True)
            ended = await self.sessions.end_all(user_id)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.USER_SESSIONS_ENDED,
                    "user",
                    str(user_id),
                    self.clock.now(),
                    before={"sessions": ended},
                    after={"sessions": 0},
                )
            )
        return ended
