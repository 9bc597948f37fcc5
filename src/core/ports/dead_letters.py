from contextlib import AbstractAsyncContextManager
from typing import Protocol

from core.errors import Category, DomainError


class DeadLettersUnavailable(DomainError):
    code = "DEAD_LETTERS_UNAVAILABLE"
    category = Category.UNAVAILABLE


class Letters(Protocol):
    """Messages taken from the dead-letter queue, invisible to others until the block ends."""

    bodies: list[bytes]

    async def remove(self, indexes: list[int]) -> None:
        """Mark messages, by index in `bodies`, to be removed instead of returned."""
        ...


class DeadLetters(Protocol):
    """Messages that consumers rejected or failed to process too often."""

    def take(self, *, limit: int) -> AbstractAsyncContextManager[Letters]:
        """Take up to `limit` messages, oldest first.

        When the block ends or the process crashes, messages not removed are returned to their place; ones removed just
        before a crash may be returned as well. Raises DeadLettersUnavailable, which may have a `reason`.
        """
        ...

    async def count(self) -> int:
        """How many wait, without those that are taken right now. Raises DeadLettersUnavailable."""
        ...
