from dataclasses import dataclass

from core.accounts.errors import OwnAccount
from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.moderation.suspension import Suspension
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SuspendUser:
    """Suspend a user: revoke the sessions, refuse new ones, and close the styles. Tokens and images are kept."""

    suspension: Suspension
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId, *, reason: str) -> None:
        """Raises UserNotFound, OwnAccount or ValidationError."""
        reason = parse_reason(reason)
        if operator.admin_id == user_id:
            raise OwnAccount
        async with self.transaction:
            now = self.clock.now()
            suspended = await self.suspension(user_id, at=now)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.USER_SUSPENDED,
                    "user",
                    str(user_id),
                    now,
                    before=suspended.before,
                    after=suspended.after,
                    reason=reason,
                )
            )
