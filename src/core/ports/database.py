from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from core.errors import Category, DomainError


class DatabaseUnavailable(DomainError):
    """Any repository or reader may raise it; nothing has been stored by the block that it ends."""

    code = "DATABASE_UNAVAILABLE"
    category = Category.UNAVAILABLE
    message = "The database is out of reach."


@dataclass(slots=True)
class Spent:
    """What a piece of work has asked of the database."""

    seconds: float = 0.0
    """For which it was waited for."""
    statements: int = 0
    commits: int = 0
    """Transactions that may have changed something."""


spent: ContextVar[Spent | None] = ContextVar("spent", default=None)
"""Who wants to know sets one for a piece of work; adapters add to it."""


class Database(Protocol):
    async def reachable(self) -> bool:
        """Whether the database answers and takes writes now; False within 2 seconds when it does not."""
        ...
