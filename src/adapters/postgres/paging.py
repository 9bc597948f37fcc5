from datetime import UTC, datetime

from adapters.postgres.pool import Record
from core.identifiers import MAX_ID
from core.paging import Keyset, PageRequest

BEGINNING = Keyset(MAX_ID, datetime.max.replace(tzinfo=UTC), MAX_ID)
"""Before the first row: so that the first page is asked for by the same statement as all others."""
BEGINNING_OF_TIME = Keyset(0, datetime.min.replace(tzinfo=UTC), 0)
"""The same, where the oldest row is the first."""


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
        self._columns = [*([rank] if rank else []), "created_at", "id"]
        self.rank = rank or "0"

    def after(self, page: PageRequest, arguments: Arguments) -> str:
        """The condition for rows after those of the page before."""
        place = page.after or (BEGINNING_OF_TIME if self._oldest_first else BEGINNING)
        values = [place.rank, place.at, place.id][-len(self._columns) :]
        beyond = ">" if self._oldest_first else "<"
        return f"({', '.join(self._columns)}) {beyond} ({', '.join(arguments.add(value) for value in values)})"

    def order(self, table: str = "") -> str:
        of = f"{table}." if table else ""
        direction = "ASC" if self._oldest_first else "DESC"
        return ", ".join(f"{of}{column} {direction}" for column in self._columns)


def limit(page: PageRequest) -> str:
    """One row more than asked for, to see whether there is another page.

    Written out: a plan made once for whatever limit would be one for very many rows.
    """
    return f"LIMIT {page.limit + 1}"


def cut(rows: list[Record], page: PageRequest) -> tuple[list[Record], Keyset | None]:
    """The page, of rows found by its `limit`, and where the next one starts."""
    if len(rows) <= page.limit:
        return rows, None
    last = rows[page.limit - 1]
    return rows[: page.limit], Keyset(last.get("rank", 0), last["created_at"], last["id"])
