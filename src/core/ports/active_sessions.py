from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from core.requester import Requester

SEEN_INTERVAL = timedelta(hours=1)
"""How often the use of a session is recorded at most, and its expiry extended."""


class ActiveSession(msgspec.Struct, frozen=True):
    """What is known of a session that is in force."""

    requester: Requester
    last_seen_at: datetime

    def renewal_due(self, *, at: datetime) -> bool:
        return self.last_seen_at <= at - SEEN_INTERVAL


class ActiveSessions(Protocol):
    """Who is signed in; read outside any transaction."""

    async def active(self, token_hash: bytes, *, at: datetime) -> ActiveSession | None:
        """The session with this token, or None if it is revoked or expired."""
        ...

    async def requester(self, token_hash: bytes, *, at: datetime) -> Requester | None:
        """The user of that session."""
        active = await self.active(token_hash, at=at)
        return active.requester if active else None
