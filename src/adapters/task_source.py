from collections.abc import Awaitable, Callable
from typing import Protocol

RETRY_AFTER = 0.1
"""Seconds until a failed task is delivered again."""


class TaskSource(Protocol):
    """The consumers' (AI servers') side of the broker."""

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        """Pass the bodies of the queue's tasks to `handle`, one at a time, in order, until cancelled.

        A task is acknowledged when `handle` returns. If `handle` raises or is cancelled, or the broker is lost, the
        task is delivered again, after a pause if it failed. While the broker is unavailable, it waits and reconnects.
        """
        ...
