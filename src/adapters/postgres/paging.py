from collections.abc import Iterable
from datetime import UTC, datetime

from adapters.postgres.pool import Reads, Record
from adapters.postgres.statements import listing
from core.identifiers import MAX_ID
from core.paging import Keyset, PageRequest

BEFORE_NEWEST = Keyset(MAX_ID, datetime.max.replace(tzinfo=UTC), MAX_ID)
"""Before the first row, so that the first page uses the same statement as all others."""
BEFORE_OLDEST = Keyset(0, datetime.min.replace(tzinfo=UTC), 0)
"""The same for ascending order."""

NO_RANK = "0"
"""The rank in orders without one."""
WINDOW = 1000
"""Rows filtered one by one before an index on the filter is used."""


class Arguments(list[object]):
    """A statement's arguments, collected while it is built."""

    def __init__(self, values: Iterable[object] = (), *, together: bool = False) -> None:
        """`together`: of one call of a statement that serves several calls at once."""
        super().__init__(values)
        self.together = together
        self.types: list[str] = []
        """Of the values that were added."""

    def add(self, value: object, type_: str = "bigint") -> str:
        """Returns its placeholder."""
        self.append(value)
        self.types.append(type_)
        return f"input.value{len(self)}" if self.together else f"${len(self)}"


class Keys:
    """The columns that order pages: optionally `rank`, then `created_at` and `id`.

    All descending, unless the oldest come first.
    """

    def __init__(self, rank: str | None = None, *, oldest_first: bool = False) -> None:
        self._oldest_first = oldest_first
        self.columns = [*([rank] if rank else []), "created_at", "id"]
        self.rank = rank or NO_RANK

    def after(self, page: PageRequest, arguments: Arguments) -> str:
        """The condition for rows after the previous page."""
        place = page.after or (BEFORE_OLDEST if self._oldest_first else BEFORE_NEWEST)
        values = [(place.rank, "bigint"), (place.at, "timestamptz"), (place.id, "bigint")][-len(self.columns) :]
        beyond = ">" if self._oldest_first else "<"
        return f"({', '.join(self.columns)}) {beyond} ({', '.join(arguments.add(*value) for value in values)})"

    def order(self, table: str = "") -> str:
        return self._ordered(self.columns, f"{table}." if table else "")

    def of_page(self) -> str:
        """The order of a page's rows by its own columns, where the rank is `rank`."""
        return self._ordered(self.columns if self.rank == NO_RANK else ["rank", *self.columns[1:]])

    def _ordered(self, columns: list[str], of: str = "") -> str:
        direction = "ASC" if self._oldest_first else "DESC"
        return ", ".join(f"{of}{column} {direction}" for column in columns)

    def reversed(self) -> str:
        return ", ".join(self.columns)


async def fetch_page(reads: Reads, sql: str, order: str, arguments: Arguments) -> list[Record]:
    """The rows of a page; `order` names columns of the result. Read together with pages of other calls if the arguments
    say so.
    """
    if arguments.together:
        return await reads.rows(listing(tuple(arguments.types), sql, order), *arguments)
    return await reads.fetch(f"{sql} ORDER BY {order}", *arguments)


def limit(page: PageRequest) -> str:
    """One row more than requested, to see whether there is another page.

    A literal: with a parameter the generic plan would be made for very many rows.
    """
    return f"LIMIT {page.limit + 1}"


def matching(table: str, *, rows: str, filter: str, keys: Keys, page: PageRequest) -> str:
    """The page of those `rows` of the table that pass the filter, efficient for frequent and rare matches alike.

    Frequent matches are found among the next WINDOW rows. Rare ones are all taken from the filter's index, but only if
    the window did not fill the page: the second branch of a UNION ALL under one limit is not started before the first
    has ended. It is materialized, since the planner would otherwise search along the order, which is the whole table if
    there is no match.
    """
    columns = ", ".join(keys.columns)
    window = f"SELECT * FROM {table} WHERE {rows} ORDER BY {keys.order()} LIMIT {WINDOW}"
    return f"""
    SELECT {table}.* FROM (
        (SELECT id FROM ({window}) near WHERE {filter} ORDER BY {keys.order()} {limit(page)})
        UNION ALL
        (
            WITH listed AS MATERIALIZED (SELECT {columns} FROM {table} WHERE {rows} AND {filter})
            SELECT id FROM listed
            WHERE ({columns}) < (SELECT {columns} FROM ({window}) near ORDER BY {keys.reversed()} LIMIT 1)
            ORDER BY {keys.order()} {limit(page)}
        )
        {limit(page)}
    ) page JOIN {table} USING (id)
    """


def cut(rows: list[Record], page: PageRequest) -> tuple[list[Record], Keyset | None]:
    """The page, from rows selected with `limit`, and the position of the next one."""
    if len(rows) <= page.limit:
        return rows, None
    last = rows[page.limit - 1]
    return rows[: page.limit], Keyset(last.get("rank", 0), last["created_at"], last["id"])
