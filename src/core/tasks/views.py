from datetime import datetime, timedelta
from typing import Protocol

import msgspec


class Backlog(msgspec.Struct, frozen=True):
    """What waits at a moment."""

    outbox: int
    """Tasks that are due and not published."""
    outbox_age: timedelta
    """For how long the first of them has been due; zero without one."""
    generations: dict[str, int]
    """Images that have not ended, by status."""
    trainings: dict[str, int]
    """Styles in training or waiting for it, by status."""


class BacklogReader(Protocol):
    async def backlog(self, *, now: datetime) -> Backlog:
        """Costs what there is in it, however much has ended before."""
        ...
