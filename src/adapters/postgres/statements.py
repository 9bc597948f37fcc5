from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapters.postgres.batching import MAX_BATCH, Batcher

Found = Mapping[str, Any]
Values = tuple[object, ...]


@dataclass(frozen=True, eq=False, slots=True)
class BatchedStatement:
    """A statement that serves any number of calls at once."""

    sql: str
    """Takes an array for each value of a call; its rows say in `place` which call they answer, counted from 1."""


def inputs(arguments: Mapping[str, str]) -> str:
    """The FROM item `input`: a row for each call, with its values and its place; `arguments` has their types."""
    # Sub-selects hide the arrays' lengths from the planner. It would otherwise expect less work than for an unknown
    # number of calls, and plan the statement anew each time.
    arrays = ", ".join(f"(SELECT ${number}::{type_}[])" for number, type_ in enumerate(arguments.values(), 1))
    return f"unnest({arrays}) WITH ORDINALITY AS input ({', '.join(arguments)}, place)"


def lookup(arguments: Mapping[str, str], sql: str) -> BatchedStatement:
    """A SELECT of one row by key. It knows the values of a call as `input.<name>`; `arguments` has their types."""
    return BatchedStatement(f"SELECT input.place, found.* FROM {inputs(arguments)} CROSS JOIN LATERAL ({sql}) found")


@cache
def listing(types: tuple[str, ...], sql: str, order: str) -> BatchedStatement:
    """A SELECT of a page, in this order of its columns. It knows the values of a call as `input.value1` and so on."""
    arguments = {f"value{number}": type_ for number, type_ in enumerate(types, 1)}
    # The inner order makes the planner plan each page by itself. For the rows of all calls it would read whole tables.
    return BatchedStatement(f"""
    SELECT input.place, found.* FROM {inputs(arguments)} CROSS JOIN LATERAL ({sql} ORDER BY {order}) found
    ORDER BY place, {order}
    """)


class BatchedStatements:
    """Sends calls of the same statement that wait at the same time together."""

    def __init__(self, fetch: Callable[..., Awaitable[Sequence[Found]]], *, max_batch: int = MAX_BATCH) -> None:
        """`fetch` sends one statement."""
        self._fetch = fetch
        self._max_batch = max_batch
        self._batchers: dict[BatchedStatement, Batcher[Values, list[Found]]] = {}

    async def __call__(self, statement: BatchedStatement, *values: object) -> list[Found]:
        """The rows of the call. Raises what sending raises."""
        if statement not in self._batchers:
            self._batchers[statement] = Batcher(
                lambda calls: self._send(statement.sql, calls), max_batch=self._max_batch
            )
        return await self._batchers[statement](values)

    async def _send(self, sql: str, calls: Sequence[Values]) -> Sequence[list[Found]]:
        found: list[list[Found]] = [[] for _ in calls]
        for row in await self._fetch(sql, *zip(*calls, strict=True)):
            found[row["place"] - 1].append(row)
        return found
