"""Links from a value to the row that it identifies."""

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote_plus

import msgspec
from markupsafe import Markup

from entrypoints.http.console.gate import PATH

Formatter = Callable[[Any, str], Any]

BY_ADMINS = frozenset({"grant", "take", "forgiveness"})
"""References of transfers that admins make: their lines in the audit log are of the same moment."""

PAGES = {
    "user": "users",
    "generation": "generations",
    "style": "styles",
    "comment": "comments",
    "purchase": "purchases",
    "charge_back": "purchases",
    "refund": "purchases",
    "withdrawal": "withdrawals",
    "welcome": "users",
}
"""The page of what a reference such as `generation:17`, or a target, names."""


def page_link(page: str, key: object, text: object | None = None) -> Markup:
    return Markup('<a href="{}/{}/details/{}">{}</a>').format(PATH, page, key, key if text is None else text)


def to(page: str) -> Formatter:
    """For a column with the key of a row of another page."""

    def link(row: Any, column: str) -> Any:
        key = getattr(row, column)
        return None if key is None else page_link(page, key)

    return link


def reference(row: Any, column: str) -> Any:
    """For what caused a transfer: `generation:17`, `fee:generation:17`."""
    text: str = getattr(row, column)
    parts = text.split(":")
    for kind, key in pairwise(parts):
        if kind in PAGES:
            return page_link(PAGES[kind], key, text)
        if kind in BY_ADMINS:
            moment = quote_plus(f"{row.created_at:%Y-%m-%d %H:%M:%S}")
            return Markup('<a href="{}/audit_log/list?search={}">{}</a>').format(PATH, moment, text)
    return text


def target(row: Any, column: str) -> Any:
    """For the id of a target whose type is in another column."""
    key = getattr(row, column)
    return page_link(PAGES[row.target_type], key) if key is not None and row.target_type in PAGES else key


def plain(value: object) -> object:
    """A value as it is shown where it has no link."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return value
