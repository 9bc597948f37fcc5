from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from adapters.memory.tables import Tables

Key = TypeVar("Key")
Row = TypeVar("Row")


class TrackedTable(dict[Key, Row]):
    """A table that records which rows were changed by commits since the last read."""

    def __init__(self, rows: Mapping[Key, Row]) -> None:
        super().__init__(rows)
        self.changed: dict[Key, None] = dict.fromkeys(rows)

    def taken(self) -> list[Key]:
        """The keys of changed and removed rows, each once."""
        taken, self.changed = list(self.changed), {}
        return taken

    def update(self, rows: Mapping[Key, Row]) -> None:  # type: ignore[override]
        if rows:
            self.changed.update(dict.fromkeys(rows))
            super().update(rows)

    def __delitem__(self, key: Key) -> None:
        self.changed[key] = None
        super().__delitem__(key)

    def pop(self, key: Key, *default: Any) -> Any:
        self.changed[key] = None
        return super().pop(key, *default)


def track(tables: Tables) -> None:
    for table in fields(tables):
        put_in_place(tables, table.name, TrackedTable(getattr(tables, table.name)))


def put_in_place(tables: Tables, name: str, rows: "TrackedTable[Any, Any]") -> None:
    """Tables are frozen for the service, but all references must see the other rows."""
    object.__setattr__(tables, name, rows)
