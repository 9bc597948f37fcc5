from datetime import datetime
from typing import Protocol

from core.identifiers import UserId


class Follows(Protocol):
    """Who follows whom, in the open transaction."""

    async def add(self, follower: UserId, followed: UserId, *, at: datetime) -> None:
        """Raises DuplicateFollow or UserNotFound; either may surface at the commit."""
        ...

    async def remove(self, follower: UserId, followed: UserId) -> None:
        """One that is not there is no error."""
        ...

    async def count(self, followed: UserId) -> int:
        """How many follow them; exact until the block ends once it has added or removed one. Raises UserNotFound."""
        ...
