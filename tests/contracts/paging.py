from collections.abc import Awaitable, Callable
from typing import TypeVar

from core.paging import Page, PageRequest

Row = TypeVar("Row")


async def walk(
    read: Callable[[PageRequest], Awaitable[Page[Row]]],
    *,
    limit: int,
    between: Callable[[], Awaitable[object]] | None = None,
) -> list[list[Row]]:
    """All pages to the last, doing something between each and the next."""
    pages: list[list[Row]] = []
    page = await read(PageRequest(limit))
    pages.append(page.rows)
    while page.next is not None:
        if between:
            await between()
        page = await read(PageRequest(limit, page.next))
        pages.append(page.rows)
    return pages
