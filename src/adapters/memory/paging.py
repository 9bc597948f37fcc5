from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from core.paging import Keyset, PageRequest

Row = TypeVar("Row")


def page_of(
    rows: Iterable[Row], *, place: Callable[[Row], Keyset], page: PageRequest, oldest_first: bool = False
) -> tuple[list[Row], Keyset | None]:
    """The page's rows, highest position first by default, and the position of the next page."""
    placed = sorted(((_order(place(row)), row) for row in rows), key=lambda pair: pair[0], reverse=not oldest_first)
    if page.after is not None:
        limit = _order(page.after)
        placed = [pair for pair in placed if (pair[0] > limit if oldest_first else pair[0] < limit)]
    shown = [row for _, row in placed[: page.limit]]
    return shown, place(shown[-1]) if len(placed) > page.limit else None


def _order(place: Keyset) -> tuple[int, datetime, int]:
    return place.rank, place.at, place.id
