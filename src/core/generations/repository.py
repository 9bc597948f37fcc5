from datetime import datetime
from typing import Protocol

from core.generations.model import Generation, GenerationProgress
from core.identifiers import GenerationId, StyleId, UserId
from core.tasks.outcome import Outcome


class Generations(Protocol):
    """Generations, in the open transaction."""

    async def of_id(self, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        """Raises GenerationNotFound."""
        ...

    async def lock_to_end(self, generation_id: GenerationId) -> Generation:
        """The generation, locked. The first access of a block that then only writes: blocks that lock several
        generations at the same time may be committed together.

        Raises GenerationNotFound.
        """
        ...

    async def of_owner(self, owner_id: UserId, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        """Raises GenerationNotFound, also for another user's."""
        ...

    async def add(self, generation: Generation) -> None:
        """Raises StyleNotFound if the style was deleted, StyleNotReady if it was withdrawn; either may surface at the
        commit. Serialized with the withdrawal: it sees the generation, or the generation is refused.
        """
        ...

    async def save(self, generation: Generation) -> None:
        """A newly completed generation increments its style's `usage_count`.

        Raises GenerationNotFound, or ResultTaken for a `result_key` that another generation has; either may surface at
        the commit.
        """
        ...

    async def advance(self, generation_id: GenerationId, progress: GenerationProgress) -> Outcome:
        """Record progress: a generation that has not ended becomes `processing`, after a failed attempt too.

        A single write outside any transaction, durable when the call returns (the most frequent write of the system).

        Applied only if it moves forward: if the generation has ended or the step is not greater than the stored one, no
        row is written. Raises GenerationNotFound.
        """
        ...

    async def queued_with(self, style_id: StyleId, *, limit: int) -> list[GenerationId]:
        """Up to `limit` queued generations of a style, oldest first."""
        ...

    async def published_with(self, style_id: StyleId, *, limit: int) -> list[GenerationId]:
        """Up to `limit` generations of a style whose image is public, oldest first."""
        ...

    async def restart_time_outs(self, *, inactive_since: datetime, at: datetime) -> None:
        """Restart the time-out at `at` where the last activity was at `inactive_since` or earlier and the task is not
        published yet. Rows locked by others are skipped.
        """
        ...

    async def stalled(self, *, since: datetime, limit: int) -> list[GenerationId]:
        """Up to `limit` generations that have not ended, with last activity at `since` or earlier, oldest first.

        Excludes those that wait for the server's own retry: see `unresumed`.
        """
        ...

    async def unresumed(self, *, since: datetime, limit: int) -> list[GenerationId]:
        """Up to `limit` with `attempt_failed_at` at `since` or earlier, oldest first."""
        ...
