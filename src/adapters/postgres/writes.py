from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import asyncpg
import msgspec

from adapters.postgres.batching import MAX_BATCH, Batcher
from adapters.postgres.connections import ConnectionLost
from core.ports.database import DatabaseUnavailable

Row = Mapping[str, object]
"""The values of a write, by column."""


@dataclass(frozen=True, slots=True)
class Write:
    """A kind of write that can be deferred and combined with others into one statement.

    Rows are passed as JSON, so that values are addressed by name and one statement serves any number of rows.
    """

    target: str
    """What it writes. A statement has one snapshot: of two writes with the same target, the first is sent before the
    second.
    """
    columns: str
    """The columns of its rows: a table's name, or `name type, ...`."""
    ctes: str
    """Common table expressions, `name AS (INSERT ...)`, that select from `input_<target>`; their names are unique
    among all writes.
    """
    finds: str | None = None
    """The one of them that must find a row for each input row."""
    rule: str | None = None
    """The key in REFUSALS of the error if it does not."""
    batched: bool = False
    """Whether one statement may combine the writes of several transactions: no two rows add to the same counter, and
    rows are processed in the order of what they lock.
    """

    @property
    def source(self) -> str:
        """The name of its rows' source."""
        return f"input_{self.target}"

    def rows(self, argument: str) -> str:
        """The FROM item of a JSON argument."""
        if " " in self.columns:
            return f"SELECT * FROM jsonb_to_recordset({argument}) AS rows ({self.columns})"
        return f"SELECT * FROM jsonb_populate_recordset(NULL::{self.columns}, {argument})"


@cache
def insert(table: str, columns: tuple[str, ...]) -> Write:
    """A write that inserts rows with these columns."""
    names = ", ".join(columns)
    added = f"added_{table} AS (INSERT INTO {table} ({names}) SELECT {names} FROM input_{table})"
    return Write(table, table, added, batched=True)


def assignments(columns: Iterable[str], source: str) -> str:
    """The SET list that copies these columns from `source`."""
    return ", ".join(f"{column} = {source}.{column}" for column in columns)


@cache
def combined(writes: tuple[Write, ...]) -> str:
    """One statement for all writes, atomic; one argument per write, the list of its rows."""
    ctes, checks = [], []
    for number, write in enumerate(writes, 1):
        ctes += [f"{write.source} AS ({write.rows(f'${number}')})", write.ctes]
        if write.finds:
            found, expected = (f"(SELECT count(*) FROM {name})" for name in (write.finds, write.source))
            checks.append(f"SELECT refuse('{write.rule}') WHERE {found} < {expected}")
    return f"WITH {', '.join(ctes)} {' UNION ALL '.join(checks) or 'SELECT'}"


def flattened(row: dict[str, Any]) -> Row:
    """The row of an entity, with the fields of `progress` and `failure` as columns."""
    progress, failure = row.pop("progress"), row.pop("failure")
    if progress is not None:
        row |= msgspec.structs.asdict(progress)
        row["progress_at"] = row.pop("last_updated")
    if failure is not None:
        row |= {f"failure_{name}": value for name, value in msgspec.structs.asdict(failure).items()}
    return row


def hexadecimal(value: bytes) -> str:
    """Bytes in PostgreSQL's hex text format."""
    return f"\\x{value.hex()}"


Rows = Sequence[Sequence[Row]]
"""The rows of several writes."""


class BatchedWrites:
    """Commits concurrent transactions that consist of the same writes as one batch.

    A batch is one transaction. If the database refuses it, each call is retried on its own, so that every caller gets
    its own answer. If the connection is lost, ConnectionLost is raised to all callers.
    """

    def __init__(self, fetch: Callable[..., Awaitable[object]], *, max_batch: int = MAX_BATCH) -> None:
        """`fetch` runs one statement as a transaction of its own."""
        self._fetch = fetch
        self._max_batch = max_batch
        self._batchers: dict[tuple[Write, ...], Batcher[Rows, None]] = {}

    async def __call__(self, writes: tuple[Write, ...], rows: Rows) -> None:
        """Raises asyncpg.PostgresError or DatabaseUnavailable."""
        if writes not in self._batchers:
            self._batchers[writes] = Batcher(
                lambda calls: self._send(combined(writes), calls), max_batch=self._max_batch
            )
        await self._batchers[writes](rows)

    async def _send(self, sql: str, calls: Sequence[Rows]) -> Sequence[Exception | None]:
        try:
            await self._fetch(
                sql, *([row for rows in one_write for row in rows] for one_write in zip(*calls, strict=True))
            )
        except ConnectionLost:
            raise
        except (asyncpg.PostgresError, DatabaseUnavailable) as error:
            return [error] if len(calls) == 1 else [await self._send_alone(sql, rows) for rows in calls]
        return [None] * len(calls)

    async def _send_alone(self, sql: str, rows: Rows) -> Exception | None:
        try:
            await self._fetch(sql, *rows)
        except (asyncpg.PostgresError, DatabaseUnavailable) as error:
            return error
        return None
