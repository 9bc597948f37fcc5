from datetime import datetime

from core.ports.active_sessions import ActiveSession, ActiveSessions
from core.ports.admission import Admission
from core.ports.rate_limiter import Allowance, Limit, RateLimiter


class MemoryAdmission(Admission):
    def __init__(self, sessions: ActiveSessions, limiter: RateLimiter) -> None:
        self._sessions = sessions
        self._limiter = limiter

    async def admit(
        self, token_hash: bytes, key: str, limit: Limit, *, at: datetime
    ) -> tuple[ActiveSession, Allowance] | None:
        session = await self._sessions.active(token_hash, at=at)
        if session is None:
            return None
        return session, await self._limiter.hit(f"{key}{session.requester.id}", limit)
