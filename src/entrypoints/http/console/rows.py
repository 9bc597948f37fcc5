from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ConsoleRows:
    """The database as the console reads it."""

    tables: Mapping[str, type[Any]]
    """Declarative tables, by name."""
    sessions: Any
    """An `async_sessionmaker` of read-only transactions."""
