from datetime import datetime, timedelta
from typing import Protocol

import msgspec


class Backlog(msgspec.Struct, frozen=True):
    """Work in progress at one moment."""

    outbox: int
    """Tasks due but not published."""
    outbox_age: timedelta
    """How long the earliest of them has been due; zero if there are none."""
    generations: dict[str, int]
    """Generations that have not ended, by status."""
    trainings: dict[str, int]
    """Versions of styles waiting for or in training, by status."""


class BacklogReader(Protocol):
    async def backlog(self, *, now: datetime) -> Backlog:
        """The cost depends on unfinished work only, not on history."""
        ...
