from datetime import datetime
from typing import Protocol

from core.ports.active_sessions import ActiveSession
from core.ports.rate_limiter import Allowance, Limit


class Admission(Protocol):
    """Looks a session up and counts the call that is made with it, in one step."""

    async def admit(
        self, token_hash: bytes, key: str, limit: Limit, *, at: datetime
    ) -> tuple[ActiveSession, Allowance] | None:
        """The session with this token, after its user's call was counted; the user's id is appended to `key`.

        As with a RateLimiter, a call that is refused is not counted. None, and nothing is counted, if the session is
        revoked or expired.
        """
        ...
