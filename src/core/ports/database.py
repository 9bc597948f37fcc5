from dataclasses import dataclass
from typing import Protocol

from core.errors import Category, DomainError


class DatabaseUnavailable(DomainError):
    """Any repository or reader may raise it; nothing has been stored by the block that it ends."""

    code = "DATABASE_UNAVAILABLE"
    category = Category.UNAVAILABLE


@dataclass(slots=True)
class DatabaseUsage:
    """What one unit of work has asked of the database; adapters add to it."""

    seconds: float = 0.0
    """Time spent waiting for the database."""
    statements: int = 0


class Database(Protocol):
    async def reachable(self) -> bool:
        """Whether the database answers and takes writes now; False within 2 seconds when it does not."""
        ...
