"""Keyset pages: a page starts strictly after the last row of the previous one, whatever is inserted or deleted."""

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

Row = TypeVar("Row")

MAX_LIMIT = 100
DEFAULT_LIMIT = 20


class Keyset(msgspec.Struct, frozen=True, array_like=True):
    """The position of a page's last row: `rank` (0 for orders without one), then time, then id."""

    rank: int
    at: datetime
    id: int


class PageRequest(msgspec.Struct, frozen=True):
    """Up to `limit` rows (1-100) strictly after `after`, or from the start."""

    limit: int = DEFAULT_LIMIT
    after: Keyset | None = None


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """Rows in order; `next` is None on the last page."""

    rows: list[Row]
    next: Keyset | None
