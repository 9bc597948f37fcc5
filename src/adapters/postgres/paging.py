from datetime import UTC, datetime

from adapters.postgres.pool import Record
from core.identifiers import MAX_ID
from core.paging import Keyset, PageRequest

BEGINNING = Keyset(MAX_ID, datetime.max.replace(tzinfo=UTC), MAX_ID)
"""Before the first row: so that the first page is asked for by the same statement as all others."""
BEGINNING_OF_TIME = Keyset(0, datetime.min.replace(tzinfo=UTC), 0)
"""The same, where the oldest row is the first."""


WINDOW = 1000
"""Rows that are tried one by one before an index is asked for all that match."""


class Arguments(list[object]):
    """A statement's arguments, gathered as it is written."""

    def add(self, value: object) -> str:
        """Its place in the statement, `$1` and on."""
        self.append(value)
        return f"${len(self)}"


class Keys:
    """The columns by which pages are ordered: `rank` if there is one, then `created_at` and `id`.

    All descending, unless the oldest are to come first.
    """

    def __init__(self, rank: str | None = None, *, oldest_first: bool = False) -> None:
        self._oldest_first = oldest_first
        self.columns = [*([rank] if rank else []), "created_at", "id"]
        self.rank = rank or "0"

    def after(self, page: PageRequest, arguments: Arguments) -> str:
        """The condition for rows after those of the page before."""
        place = page.after or (BEGINNING_OF_TIME if self._oldest_first else BEGINNING)
        values = [place.rank, place.at, place.id][-len(self.columns) :]
        beyond = ">" if self._oldest_first else "<"
        return f"({', '.join(self.columns)}) {beyond} ({', '.join(arguments.add(value) for value in values)})"

    def order(self, table: str = "") -> str:
        of = f"{table}." if table else ""
        direction = "ASC" if self._oldest_first else "DESC"
        return ", ".join(f"{of}{column} {direction}" for column in self.columns)

    def reversed(self) -> str:
        return ", ".join(self.columns)


def limit(page: PageRequest) -> str:
    """One row more than asked for, to see whether there is another page.

    Written out: a plan made once for whatever limit would be one for very many rows.
    """
    return f"LIMIT {page.limit + 1}"


def matching(table: str, *, rows: str, filter: str, keys: Keys, page: PageRequest) -> str:
    """The page out of those `rows` of the table that pass the filter, whether most do or hardly any.

    What many have is soon found among the WINDOW rows that come next. What few have is listed by its index, all of it,
    and that only if the window leaves the page unfilled: as the second of two branches under one limit it is not begun
    before the first one has ended. It is materialized, else the planner would look for the page along the order, which
    is the whole table where there is no such row.
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
    """The page, of rows found by its `limit`, and where the next one starts."""
    if len(rows) <= page.limit:
        return rows, None
    last = rows[page.limit - 1]
    return rows[: page.limit], Keyset(last.get("rank", 0), last["created_at"], last["id"])
