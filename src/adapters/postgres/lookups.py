from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.batching import Batcher

Found = Mapping[str, Any]
Values = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Lookup:
    """A read of one row by key. Concurrent ones are sent as one statement."""

    asked: Mapping[str, str]
    """Names and types of its arguments."""
    sql: str
    """A SELECT that refers to them as `asked.<name>`."""

    @property
    def statement(self) -> str:
        """The statement for any number of lookups: an array per argument. `place` in a row says which lookup it
        answers.
        """
        arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(self.asked.values(), 1))
        asked = f"unnest({arrays}) WITH ORDINALITY AS asked ({', '.join(self.asked)}, place)"
        return f"SELECT asked.place, found.* FROM {asked} CROSS JOIN LATERAL ({self.sql}) found"


class BatchedLookups:
    """Sends concurrent lookups of the same kind as one statement."""

    def __init__(self, fetch: Callable[..., Awaitable[Sequence[Found]]]) -> None:
        """`fetch` runs one statement."""
        self._fetch = fetch
        self._batchers: dict[Lookup, Batcher[Values, Found | None]] = {}

    async def __call__(self, lookup: Lookup, *values: object) -> Found | None:
        """The row, or None. Raises what `fetch` raises."""
        if lookup not in self._batchers:
            statement = lookup.statement
            self._batchers[lookup] = Batcher(lambda calls: self._send(statement, calls))
        return await self._batchers[lookup](values)

    async def _send(self, statement: str, calls: Sequence[Values]) -> Sequence[Found | None]:
        found: list[Found | None] = [None] * len(calls)
        for row in await self._fetch(statement, *zip(*calls, strict=True)):
            found[row["place"] - 1] = row
        return found
