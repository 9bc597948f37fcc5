from dataclasses import dataclass
from typing import Protocol

from core.errors import Category, DomainError


class DatabaseUnavailable(DomainError):
    """Any repository or reader may raise it; the current transaction has stored nothing."""

    code = "DATABASE_UNAVAILABLE"
    category = Category.UNAVAILABLE


@dataclass(slots=True)
class DatabaseUsage:
    """Database usage of one unit of work, accumulated by adapters."""

    seconds: float = 0.0
    """Time spent waiting for the database."""
    statements: int = 0


class Database(Protocol):
    async def reachable(self) -> bool:
        """Whether the database accepts writes now; False if it does not answer within 2 seconds."""
        ...
