from datetime import datetime
from typing import Protocol

from core.generations.model import Generation, GenerationProgress
from core.identifiers import GenerationId, UserId
from core.tasks.outcome import Outcome


class Generations(Protocol):
    """Generations, in the open transaction."""

    async def of_id(self, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        """Raises GenerationNotFound."""
        ...

    async def of_owner(self, owner_id: UserId, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        """Raises GenerationNotFound, for another's too."""
        ...

    async def add(self, generation: Generation) -> None:
        """Raises StyleNotFound when the style is no longer there, which may surface at the commit."""
        ...

    async def save(self, generation: Generation) -> None:
        """One that has just completed counts for its style's `usage_count`.

        Raises GenerationNotFound, or ResultTaken for a `result_key` that another generation has; either may surface at
        the commit.
        """
        ...

    async def advance(self, generation_id: GenerationId, progress: GenerationProgress) -> Outcome:
        """Take progress down: a generation that has not ended is `processing` from now on, after a failed attempt too.

        One write outside any transaction, kept when the call returns: nothing in the system is written more often.

        Applied only if it moves forward: one that has ended, or a step not beyond the one stored, is left as it is, and
        no row is written. Raises GenerationNotFound.
        """
        ...

    async def put_off(self, *, silent_since: datetime, at: datetime) -> None:
        """Those last heard of at `silent_since` or earlier whose task waits to be published have not begun: their time
        counts from `at`. Those that somebody else is changing are left for the next time."""
        ...

    async def silent(self, *, since: datetime, limit: int) -> list[GenerationId]:
        """Up to `limit` that have not ended and were last active at `since` or earlier, the oldest first.

        Those that wait for the server's own next attempt are not among them: see `unresumed`.
        """
        ...

    async def unresumed(self, *, since: datetime, limit: int) -> list[GenerationId]:
        """Up to `limit` with `attempt_failed_at` at `since` or earlier, those that failed first first."""
        ...
