from collections.abc import Awaitable, Callable
from typing import Protocol

RETRY_AFTER = 0.1
"""Seconds until a task whose handling failed is handed out again."""


class TaskSource(Protocol):
    """The AI servers' side of the broker."""

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        """Give the bodies of the queue's tasks to `handle`, one at a time, in their order, until cancelled.

        A task is acknowledged when `handle` has returned. When it raises or is cancelled, or when the broker is lost
        meanwhile, the task is delivered again; who has failed at it pauses before that. While the broker is away it
        waits and tries again.
        """
        ...
