from dataclasses import dataclass
from datetime import datetime

from core.accounts.repository import Sessions, Users
from core.identifiers import UserId
from core.moderation.effect import Effect
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class Suspension:
    """Suspends users, in the open transaction: revokes the sessions and closes the styles."""

    users: Users
    sessions: Sessions
    styles: Styles

    async def __call__(self, user_id: UserId, *, at: datetime) -> Effect:
        """Raises UserNotFound."""
        user = await self.users.of_id(user_id, lock=True)
        suspended = user.suspend(at=at)
        await self.users.save(suspended)
        sessions = await self.sessions.end_all(user_id)
        closed = [style for style in await self.styles.of_artist(user_id, lock=True) if style.is_active]
        for style in closed:
            await self.styles.save(style.close(at=at))
        return Effect(
            before={
                "standing": user.standing.value,
                "sessions": sessions,
                "open_styles": [style.id for style in closed],
            },
            after={"standing": suspended.standing.value, "sessions": 0, "open_styles": []},
        )
