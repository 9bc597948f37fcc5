from dataclasses import dataclass

from core.accounts.repository import Sessions
from core.accounts.sign_in import token_hash
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SignOut:
    """Revoke a session."""

    sessions: Sessions
    transaction: Transaction

    async def __call__(self, token: str) -> None:
        async with self.transaction:
            await self.sessions.end(token_hash(token))
