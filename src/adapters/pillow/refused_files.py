from collections.abc import Callable, Hashable
from time import monotonic

KEPT_FOR = 600.0
"""Seconds."""
MAX_KEPT = 10_000


class RefusedFiles:
    """Recently refused files and the reasons; the oldest are dropped first."""

    def __init__(self, *, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._refused: dict[Hashable, tuple[float, str]] = {}

    def reason(self, key: Hashable) -> str | None:
        """Why it was refused; None if it was not, or some time ago."""
        at, reason = self._refused.get(key, (0.0, None))
        return reason if reason is not None and self._now() - at < KEPT_FOR else None

    def add(self, key: Hashable, reason: str) -> None:
        self._refused.pop(key, None)
        if len(self._refused) >= MAX_KEPT:
            del self._refused[next(iter(self._refused))]
        self._refused[key] = (self._now(), reason)
