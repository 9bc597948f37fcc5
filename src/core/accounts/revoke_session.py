from dataclasses import dataclass

from core.accounts.repository import Sessions
from core.identifiers import SessionId, UserId
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RevokeSession:
    """End one of one's own sessions."""

    sessions: Sessions
    transaction: Transaction

    async def __call__(self, requester: UserId, session_id: SessionId) -> bytes:
        """Returns the token hash of the session. Raises SessionNotFound, also for a session of another user."""
        async with self.transaction:
            return await self.sessions.end_of_user(requester, session_id)
