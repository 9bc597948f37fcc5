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
    """Tokens available to spend."""
    bonus_tokens: int
    """The part of `token_balance` that is bonus; it is spent first."""
    held_tokens: int
    """Tokens held for generations and refunds that have not ended."""
    debt_tokens: int
    """Spent tokens whose money was taken back: nothing can be spent or withdrawn until they are bought again."""
    earned_token_balance: int | None
    """An artist's earnings, less withdrawn and held tokens; None for others."""
    withdrawable_tokens: int | None
    """The part of the earnings that can be withdrawn; None for others."""
    maturing_tokens: int | None
    """The part of the earnings that will be withdrawable; None for others."""


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
    """A transfer from the view of one party.

    The payer sees a hold as one line, with the hold's id and time: pending, then completed when posted, or failed and
    refunded when voided. The payee sees it once it is posted, as a line with the id and time of the posting. A user who
    pays themselves sees both. The fee is a separate line of the artist: outgoing, of type `generation`.
    """

    id: TransferId
    type: str
    direction: Literal["in", "out"]
    amount: int
    bonus_tokens: int | None
    """The part of the amount that is bonus; None for what is pending or failed."""
    status: Literal["pending", "completed", "failed"]
    refunded: bool
    price_per_token: int | None
    total_price: int | None
    currency_code: str | None
    memo: str | None
    created_at: datetime
    sender: Party | None
    """None for the platform, and for an erased user."""
    receiver: Party | None
    """None for the platform, and for an erased user."""
    related_style: RelatedStyle | None
    related_generation: RelatedGeneration | None
    related_purchase: RelatedPurchase | None = None
    related_withdrawal: RelatedWithdrawal | None = None


class EarningsGroup(Enum):
    DAY = "day"
    STYLE = "style"


class EarningsLine(msgspec.Struct, frozen=True):
    day: date | None
    """In the requested time zone; None when grouped by style."""
    style: RelatedStyle | None
    """None when grouped by day."""
    images: int
    tokens: int
    """The artist's share."""
    fee_tokens: int
    """The platform's share."""


class Earnings(msgspec.Struct, frozen=True):
    """An artist's earnings from images completed in a period."""

    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    """The last day of the period, inclusive."""
    images: int
    tokens: int
    fee_tokens: int
    results: list[EarningsLine]
    """Days in order, or styles by earnings, highest first; without zero lines."""


def earnings_of(first: date, last: date, results: list[EarningsLine]) -> Earnings:
    return Earnings(
        first=first,
        last=last,
        images=sum(line.images for line in results),
        tokens=sum(line.tokens for line in results),
        fee_tokens=sum(line.fee_tokens for line in results),
        results=results,
    )


SHOWN_AS = {
    TransferKind.FEE.value: TransactionFilter.GENERATION.value,
    TransferKind.TAKEN_BONUS.value: TransactionFilter.BONUS.value,
    TransferKind.CHARGE_BACK.value: TransactionFilter.REFUND.value,
    TransferKind.FORGIVENESS.value: TransactionFilter.REFUND.value,
}


def shown_as(kind: str) -> str:
    """The type of a line: a fee counts as part of its generation, taken bonus tokens as bonus, a charge-back and the
    forgiveness of a debt as refunds.
    """
    return SHOWN_AS.get(kind, kind)


def unknown_zone() -> ValidationError:
    return ValidationError(tz=UNKNOWN_TIME_ZONE)


class TokensReader(Protocol):
    async def balance(self, user_id: UserId, *, earned_until: datetime) -> Balance:
        """Balances from posted transfers and open holds; zeros without an account.

        Earnings have matured if they were earned before `earned_until`.
        """
        ...

    async def transactions(
        self, user_id: UserId, *, type: TransactionFilter, page: PageRequest
    ) -> Page[TransactionLine]:
        """Newest first. REFUND: refunds, charge-backs, forgiven debts, and voided holds."""
        ...

    async def earnings(
        self, artist_id: UserId, *, first: date, last: date, group: EarningsGroup, zone: str = "UTC"
    ) -> Earnings:
        """Earnings from images paid for between the start of the first day and the end of the last.

        Days are those of `zone`, an IANA time zone name. Raises ValidationError, naming `tz`, for a zone that the store
        does not know.
        """
        ...
