from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment in UTC, timezone-aware, to the microsecond. Two calls may answer the same."""
        ...
