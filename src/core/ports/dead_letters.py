from contextlib import AbstractAsyncContextManager
from typing import Protocol

from core.errors import Category, DomainError


class DeadLettersUnavailable(DomainError):
    code = "DEAD_LETTERS_UNAVAILABLE"
    category = Category.UNAVAILABLE


class Letters(Protocol):
    """Messages taken out for a look; nobody else sees them until that ends."""

    bodies: list[bytes]

    async def remove(self, indexes: list[int]) -> None:
        """These, by their place in `bodies`, are not to go back."""
        ...


class DeadLetters(Protocol):
    """What the broker has put aside because consumers rejected it, or failed at it too often."""

    def take(self, *, limit: int) -> AbstractAsyncContextManager[Letters]:
        """Take up to `limit` messages out, those put aside first first.

        What was not removed is back in its place when the block ends, also after a crash; so may be what was removed
        just before a crash. Raises DeadLettersUnavailable, which may have a `reason`.
        """
        ...
