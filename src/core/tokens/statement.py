"""What happened to tokens and money in a month, and what is owed at its end."""

import re
from datetime import UTC, datetime, timedelta

import msgspec

from core.errors import ValidationError
from core.problems import INVALID_MONTH

MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
LONGEST = timedelta(days=31)


class Month(msgspec.Struct, frozen=True):
    """A calendar month in UTC."""

    since: datetime
    until: datetime
    """Exclusive."""


class Movement(msgspec.Struct, frozen=True):
    """All transfers of a kind within the month; without holds and voids, which move nothing."""

    kind: str
    currency_code: str | None
    """ISO 4217; None for what moves no money."""
    transfers: int
    tokens: int
    bought_tokens: int
    """The part of `tokens` that was bought."""
    money: int | None
    """In whole units of the currency."""


class Holding(msgspec.Struct, frozen=True):
    """What all accounts of a kind hold at the end of the month, open holds included."""

    account: str
    tokens: int
    """Less debts. The sum over all kinds is zero."""
    bought_tokens: int
    """The part that was bought, less debts; of earnings, by others than the artist: what is owed in money."""
    matured_tokens: int | None
    """Of earnings: the part of `bought_tokens` that could be withdrawn at the end; the rest is maturing. Negative if
    more was withdrawn while less time was asked for.
    """


class Statement(msgspec.Struct, frozen=True):
    month: Month
    movements: list[Movement]
    """By kind and currency."""
    holdings: list[Holding]
    """By kind."""


def month_of(text: str) -> Month:
    """Of `YYYY-MM`. Raises ValidationError."""
    if (found := MONTH.fullmatch(text)) is None:
        raise ValidationError(month=INVALID_MONTH)
    try:
        since = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
        return Month(since, (since + LONGEST).replace(day=1))
    except (ValueError, OverflowError):
        raise ValidationError(month=INVALID_MONTH) from None
