from datetime import date, datetime
from enum import Enum
from typing import Literal, Protocol

import msgspec

from core.errors import ValidationError
from core.identifiers import GenerationId, OrderId, StyleId, TransferId, UserId, WithdrawalId
from core.paging import Page, PageRequest
from core.problems import UNKNOWN_TIME_ZONE
from core.tokens.model import TransferKind


class Balance(msgspec.Struct, frozen=True):
    user_id: UserId
    token_balance: int
    """Tokens free to spend."""
    held_tokens: int
    """Tokens put aside for generations that have not ended."""
    earned_token_balance: int | None
    """Tokens earned as an artist that are neither withdrawn nor about to be; None for others."""


class TransactionFilter(Enum):
    ALL = "all"
    PURCHASE = "purchase"
    GENERATION = "generation"
    REFUND = "refund"
    BONUS = "bonus"
    WITHDRAWAL = "withdrawal"


class Party(msgspec.Struct, frozen=True):
    id: UserId
    username: str


class RelatedStyle(msgspec.Struct, frozen=True):
    id: StyleId
    name: str


class RelatedGeneration(msgspec.Struct, frozen=True):
    id: GenerationId
    status: str


class RelatedPurchase(msgspec.Struct, frozen=True):
    order_id: OrderId


class RelatedWithdrawal(msgspec.Struct, frozen=True):
    id: WithdrawalId
    status: str


class TransactionLine(msgspec.Struct, frozen=True):
    """One movement as one of its parties sees it.

    A payer sees a hold as one line, with the hold's id and time: pending, then completed when posted, or failed and
    refunded when voided. A payee sees it once it is posted, as a line with the id and time of the posting. So who pays
    oneself sees two lines. The platform's fee is a line of its own among an artist's: out, and of type `generation`.
    """

    id: TransferId
    type: str
    direction: Literal["in", "out"]
    amount: int
    status: Literal["pending", "completed", "failed"]
    refunded: bool
    price_per_token: int | None
    total_price: int | None
    currency_code: str | None
    memo: str | None
    created_at: datetime
    sender: Party | None
    """None for the platform, and for who has been erased since."""
    receiver: Party | None
    """None for the platform, and for who has been erased since."""
    related_style: RelatedStyle | None
    related_generation: RelatedGeneration | None
    related_purchase: RelatedPurchase | None = None
    related_withdrawal: RelatedWithdrawal | None = None


class EarningsGroup(Enum):
    DAY = "day"
    STYLE = "style"


class EarningsLine(msgspec.Struct, frozen=True):
    day: date | None
    """In the zone that was asked for; None where earnings are grouped by style."""
    style: RelatedStyle | None
    """None where earnings are told by day."""
    images: int
    tokens: int
    """What they have brought the artist."""
    fee_tokens: int
    """What the platform has kept of their price."""


class Earnings(msgspec.Struct, frozen=True):
    """What images completed in a period have earned an artist."""

    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    """The last day of the period, not the one after it."""
    images: int
    tokens: int
    fee_tokens: int
    results: list[EarningsLine]
    """Days in their order, or styles with the highest earnings first; only those with any."""


def earnings_of(first: date, last: date, results: list[EarningsLine]) -> Earnings:
    return Earnings(
        first=first,
        last=last,
        images=sum(line.images for line in results),
        tokens=sum(line.tokens for line in results),
        fee_tokens=sum(line.fee_tokens for line in results),
        results=results,
    )


def shown_as(kind: str) -> str:
    """The type of a line: a fee is part of the generation that it is taken from."""
    return TransferKind.GENERATION.value if kind == TransferKind.FEE.value else kind


def unknown_zone() -> ValidationError:
    return ValidationError(tz=UNKNOWN_TIME_ZONE)


class TokensReader(Protocol):
    async def balance(self, user_id: UserId) -> Balance:
        """What the posted transfers and open holds say; zeros for one without an account."""
        ...

    async def transactions(
        self, user_id: UserId, *, type: TransactionFilter, page: PageRequest
    ) -> Page[TransactionLine]:
        """Newest first. REFUND finds generations whose tokens came back as well as refund transfers."""
        ...

    async def earnings(
        self, artist_id: UserId, *, first: date, last: date, group: EarningsGroup, zone: str = "UTC"
    ) -> Earnings:
        """Of images that were paid for from the start of the first day to the end of the last.

        Days are those of `zone`, a name of the IANA time zone database. Raises ValidationError, naming `tz`, for a zone
        that the store does not know.
        """
        ...
