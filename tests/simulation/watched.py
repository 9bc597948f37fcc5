from collections.abc import Mapping
from typing import Any, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")


class Watched(dict[Key, Row]):
    """A table that remembers which of its rows commits have changed since it was asked last."""

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

    def pop(self, key: Key, *default: Any) -> Any:
        self.changed[key] = None
        return super().pop(key, *default)
