"""Lists in pages: `limit` and `cursor` in, `results`, `next_cursor` and `has_more` out."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Request
from litestar.params import QueryParameter

from core.errors import InvalidCursor
from core.paging import DEFAULT_LIMIT, MAX_LIMIT, Keyset, Page, PageRequest
from entrypoints.http.security.signing import Signer
from entrypoints.http.state import state_of

Row = TypeVar("Row")


class Results(msgspec.Struct, Generic[Row], frozen=True):
    results: list[Row]
    next_cursor: str | None
    """Opaque; valid for the same list in the same order only."""
    has_more: bool


class Paging:
    """The requested page, and the cursor of the next one."""

    def __init__(self, signer: Signer, limit: int, cursor: str | None) -> None:
        self._signer = signer
        self._limit = limit
        self._cursor = cursor

    def request(self, order: str) -> PageRequest:
        """Raises InvalidCursor for a cursor that was not issued for this order."""
        if self._cursor is None:
            return PageRequest(self._limit)
        payload = self._signer.unseal(self._cursor, context=order)
        if payload is None:
            raise InvalidCursor
        return PageRequest(self._limit, msgspec.json.decode(payload, type=Keyset))

    def results(self, order: str, page: Page[Row]) -> Results[Row]:
        return Results(page.rows, self.next_cursor(order, page), page.next is not None)

    def next_cursor(self, order: str, page: Page[Row]) -> str | None:
        return self._signer.seal(msgspec.json.encode(page.next), context=order) if page.next else None


def paging(
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="Rows in a page.")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, QueryParameter(description="`next_cursor` of the previous page.")] = None,
) -> Paging:
    """What the query string says of paging, as a dependency of lists."""
    return Paging(state_of(request.app).signers.cursors, limit, cursor)
