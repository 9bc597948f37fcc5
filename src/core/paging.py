"""Keyset pages: a page starts strictly after the last row of the one before, whatever came or went meanwhile."""

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

Row = TypeVar("Row")

MAX_LIMIT = 100
DEFAULT_LIMIT = 20


class Keyset(msgspec.Struct, frozen=True, array_like=True):
    """The place of a page's last row in its order: `rank` (orders that have one, else 0), then time, then id."""

    rank: int
    at: datetime
    id: int


class PageRequest(msgspec.Struct, frozen=True):
    """Up to `limit` rows (1-100) that come strictly after `after`, or the first ones."""

    limit: int = DEFAULT_LIMIT
    after: Keyset | None = None


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """Rows in order; `next` is None on the last page."""

    rows: list[Row]
    next: Keyset | None
