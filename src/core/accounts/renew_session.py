from dataclasses import dataclass
from datetime import datetime

from core.accounts.repository import Sessions
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RenewSession:
    """Record the use of a session and extend its expiry."""

    sessions: Sessions
    transaction: Transaction

    async def __call__(self, token_hash: bytes, *, at: datetime) -> None:
        async with self.transaction:
            await self.sessions.renew(token_hash, at=at)
