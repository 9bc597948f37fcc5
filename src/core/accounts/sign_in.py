import hashlib
import hmac
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

import msgspec

from core.accounts.errors import IdentityTaken, UsernameTaken
from core.accounts.model import Session, Standing, User, username_from
from core.accounts.repository import Sessions, Users
from core.identifiers import UserId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.identity_provider import Identity, SignInFailed
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.secrets import Secrets
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.tokens.model import wallet, welcome_bonus

IdentityKey = NewType("IdentityKey", bytes)
"""The HMAC key for identities of erased users."""

ATTEMPTS = 5
"""Retries when concurrent sign-ups collide on an identity or username; one retry is normally enough."""


class SignedIn(msgspec.Struct, frozen=True):
    user_id: UserId
    token: str
    """The session token: given to the browser, never stored."""
    is_new: bool


def token_hash(token: str) -> bytes:
    """The stored hash of a session token. The token has 256 random bits, so a plain SHA-256 cannot be reversed."""
    return hashlib.sha256(token.encode()).digest()


def identity_hash(key: IdentityKey, provider: str, subject: str) -> bytes:
    """A keyed hash of an erased user's identity: it allows only an equality check, and only with the key."""
    return hmac.digest(key, f"{provider}\n{subject}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class SignIn:
    """Open a session for an identity; the first time, create the user and transfer the welcome tokens.

    A newly verified e-mail address replaces the stored one; without one, the stored address stays. An erased user is
    created again, but without welcome tokens. A deactivated user cannot sign in. A user who has not signed in with this
    browser before is notified.
    """

    users: Users
    sessions: Sessions
    ledger: TokenLedger
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    secrets: Secrets
    clock: Clock
    identity_key: IdentityKey

    async def __call__(self, identity: Identity, *, user_agent: str, known_users: Collection[UserId] = ()) -> SignedIn:
        """`known_users` have signed in with this browser before. Raises SignInFailed."""
        for _ in range(ATTEMPTS - 1):
            with suppress(IdentityTaken, UsernameTaken):
                return await self._sign_in(identity, user_agent, known_users)
        return await self._sign_in(identity, user_agent, known_users)

    async def _sign_in(self, identity: Identity, user_agent: str, known_users: Collection[UserId]) -> SignedIn:
        now = self.clock.now()
        async with self.transaction:
            user = await self._known(identity, at=now)
            is_new = user is None
            if user is None:
                user = await self._sign_up(identity)
            if user.standing is Standing.SUSPENDED:
                raise SignInFailed("account_suspended")
            if user.standing is not Standing.PRESENT:
                raise SignInFailed("account_closed")
            if (verified := user.with_verified_email(identity.email, at=now)) != user:
                await self.users.save(verified)
            token = self.secrets.token()
            session = Session.start(await self.ids.session(), token_hash(token), user.id, at=now, user_agent=user_agent)
            await self.sessions.add(session)
            if not is_new and user.id not in known_users:
                await self._notify(session)
        return SignedIn(user.id, token, is_new)

    async def _known(self, identity: Identity, *, at: datetime) -> User | None:
        """The existing user, locked if it has to be saved (it may be edited or deleted concurrently)."""
        user = await self.users.of_identity(identity.provider, identity.subject)
        if user is None or user.with_verified_email(identity.email, at=at) == user:
            return user
        return await self.users.of_identity(identity.provider, identity.subject, lock=True)

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
        was_erased = await self.users.was_erased(identity_hash(self.identity_key, user.provider, user.subject))
        await self.users.add(user)
        await self.ledger.open(wallet(user.id))
        if not was_erased:
            await self.ledger.transfer(welcome_bonus(user.id, at=now))
        return user

    async def _notify(self, session: Session) -> None:
        await self.notifier.notify(
            Notification(
                id=await self.ids.notification(),
                recipient=session.user_id,
                type=NotificationType.NEW_SIGN_IN,
                reason=f"sign-in:{session.id}",
                target_type="session",
                target_id=session.id,
                at=session.created_at,
                metadata={"user_agent": session.user_agent},
            )
        )

    async def _free_username(self, identity: Identity) -> str:
        username = username_from(identity.email, identity.name)
        if not await self.users.username_taken(username):
            return username
        return f"{username}-{self.secrets.suffix()}"
