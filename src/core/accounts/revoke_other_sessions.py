from dataclasses import dataclass

from core.accounts.repository import Sessions
from core.identifiers import UserId
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RevokeOtherSessions:
    """End all of one's own sessions but the current one."""

    sessions: Sessions
    transaction: Transaction

    async def __call__(self, requester: UserId, *, current: bytes) -> int:
        """`current` is a token hash. Returns how many sessions were revoked."""
        async with self.transaction:
            return await self.sessions.end_all(requester, keep=current)
