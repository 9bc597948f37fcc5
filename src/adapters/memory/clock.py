from datetime import UTC, datetime, timedelta

from core.ports.clock import Clock


class ManualClock(Clock):
    """A clock that moves only when it is advanced."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta = timedelta(seconds=1)) -> datetime:
        """Move forward; returns the new time."""
        if by < timedelta():
            raise ValueError("time does not go back")
        self._now += by
        return self._now
