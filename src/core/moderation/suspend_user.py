from dataclasses import dataclass

from core.accounts.errors import OwnAccount
from core.accounts.repository import Sessions, Users
from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class SuspendUser:
    """Suspend a user: revoke the sessions, refuse new ones, and close the styles. Tokens and images are kept."""

    users: Users
    sessions: Sessions
    styles: Styles
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId, *, reason: str) -> None:
        """Raises UserNotFound, OwnAccount or ValidationError."""
        reason = parse_reason(reason)
        if operator.admin_id == user_id:
            raise OwnAccount
        async with self.transaction:
            user = await self.users.of_id(user_id, lock=True)
            suspended = user.suspend(at=self.clock.now())
            await self.users.save(suspended)
            sessions = await self.sessions.end_all(user_id)
            closed = [style for style in await self.styles.of_artist(user_id, lock=True) if style.is_active]
            for style in closed:
                await self.styles.save(style.close(at=suspended.updated_at))
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.USER_SUSPENDED,
                    "user",
                    str(user_id),
                    suspended.updated_at,
                    before={
                        "standing": user.standing.value,
                        "sessions": sessions,
                        "open_styles": [style.id for style in closed],
                    },
                    after={"standing": suspended.standing.value, "sessions": 0, "open_styles": []},
                    reason=reason,
                )
            )
