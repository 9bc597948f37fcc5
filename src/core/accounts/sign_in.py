import hashlib
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from core.accounts.errors import IdentityTaken, UsernameTaken
from core.accounts.model import SESSION_LIFETIME, Session, User, username_from
from core.accounts.repository import Sessions, Users
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.identity_provider import Identity
from core.ports.ids import Ids
from core.ports.secrets import Secrets
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.tokens.model import wallet, welcome_bonus

ATTEMPTS = 5
"""Sign-ups that race for one identity or username settle in two; five is beyond doubt."""


class SignedIn(msgspec.Struct, frozen=True):
    user_id: UserId
    token: str
    """The session's secret: given to the browser, never stored."""
    is_new: bool


def token_hash(token: str) -> bytes:
    """What of a session's token is stored. The token has 256 random bits, so a plain SHA-256 cannot be reversed."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class SignIn:
    """Open a session for an identity; the first time, make the user and give the welcome tokens."""

    users: Users
    sessions: Sessions
    ledger: TokenLedger
    transaction: Transaction
    ids: Ids
    secrets: Secrets
    clock: Clock

    async def __call__(self, identity: Identity, *, user_agent: str) -> SignedIn:
        for _ in range(ATTEMPTS - 1):
            with suppress(IdentityTaken, UsernameTaken):
                return await self._sign_in(identity, user_agent)
        return await self._sign_in(identity, user_agent)

    async def _sign_in(self, identity: Identity, user_agent: str) -> SignedIn:
        now = self.clock.now()
        async with self.transaction:
            user = await self.users.of_identity(identity.provider, identity.subject)
            is_new = user is None
            if user is None:
                user = await self._sign_up(identity)
            token = self.secrets.token()
            session = Session(token_hash(token), user.id, now, now + SESSION_LIFETIME, user_agent[:500])
            await self.sessions.add(session)
        return SignedIn(user.id, token, is_new)

    async def _sign_up(self, identity: Identity) -> User:
        now = self.clock.now()
        user = User(
            id=await self.ids.user(),
            provider=identity.provider,
            subject=identity.subject,
            email=identity.email,
            username=await self._free_username(identity),
            created_at=now,
            updated_at=now,
            profile_image=identity.picture,
        )
        await self.users.add(user)
        await self.ledger.open(wallet(user.id))
        await self.ledger.transfer(welcome_bonus(user.id, at=now))
        return user

    async def _free_username(self, identity: Identity) -> str:
        username = username_from(identity.email, identity.name)
        if not await self.users.username_taken(username):
            return username
        return f"{username}-{self.secrets.suffix()}"
