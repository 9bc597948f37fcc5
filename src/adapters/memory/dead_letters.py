from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.ports.dead_letters import DeadLetters, Letters


class MemoryLetters(Letters):
    def __init__(self, bodies: list[bytes]) -> None:
        self.bodies = bodies
        self.removed: set[int] = set()

    async def remove(self, indexes: list[int]) -> None:
        self.removed.update(indexes)


class MemoryDeadLetters(DeadLetters):
    """Dead letters added by tests: in-process queues dead-letter nothing."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    @asynccontextmanager
    async def take(self, *, limit: int) -> AsyncIterator[Letters]:
        taken, self.bodies = self.bodies[:limit], self.bodies[limit:]
        letters = MemoryLetters(list(taken))
        try:
            yield letters
        finally:
            back = [body for index, body in enumerate(taken) if index not in letters.removed]
            self.bodies = back + self.bodies

    async def count(self) -> int:
        return len(self.bodies)
