from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time in UTC, timezone-aware, in microseconds. Consecutive calls may return the same value."""
        ...
