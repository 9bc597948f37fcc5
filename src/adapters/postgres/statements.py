from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.batching import MAX_BATCH, Batcher

Found = Mapping[str, Any]
Values = tuple[object, ...]


@dataclass(frozen=True, eq=False, slots=True)
class BatchedStatement:
    """A statement that serves any number of calls at once, and answers each with at most one row."""

    sql: str
    """Takes an array for each value of a call; its rows say in `place` which call they answer, counted from 1."""


def lookup(arguments: Mapping[str, str], sql: str) -> BatchedStatement:
    """A SELECT of one row by key. It knows the values of a call as `input.<name>`; `arguments` has their types."""
    arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(arguments.values(), 1))
    calls = f"unnest({arrays}) WITH ORDINALITY AS input ({', '.join(arguments)}, place)"
    return BatchedStatement(f"SELECT input.place, found.* FROM {calls} CROSS JOIN LATERAL ({sql}) found")


class BatchedStatements:
    """Sends calls of the same statement that wait at the same time together."""

    def __init__(self, fetch: Callable[..., Awaitable[Sequence[Found]]], *, max_batch: int = MAX_BATCH) -> None:
        """`fetch` sends one statement."""
        self._fetch = fetch
        self._max_batch = max_batch
        self._batchers: dict[BatchedStatement, Batcher[Values, Found | None]] = {}

    async def __call__(self, statement: BatchedStatement, *values: object) -> Found | None:
        """The row of the call, if there is one. Raises what sending raises."""
        if statement not in self._batchers:
            self._batchers[statement] = Batcher(
                lambda calls: self._send(statement.sql, calls), max_batch=self._max_batch
            )
        return await self._batchers[statement](values)

    async def _send(self, sql: str, calls: Sequence[Values]) -> Sequence[Found | None]:
        found: list[Found | None] = [None] * len(calls)
        for row in await self._fetch(sql, *zip(*calls, strict=True)):
            found[row["place"] - 1] = row
        return found
