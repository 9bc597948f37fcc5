from typing import Protocol

from core.errors import Category, DomainError


class DatabaseUnavailable(DomainError):
    """Any repository or reader may raise it; nothing has been stored."""

    code = "DATABASE_UNAVAILABLE"
    category = Category.UNAVAILABLE
    message = "The database is out of reach."


class Database(Protocol):
    async def reachable(self) -> bool:
        """Whether the database answers now; False within 2 seconds when it does not."""
        ...
