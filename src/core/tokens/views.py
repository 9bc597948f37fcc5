from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

import msgspec

from core.identifiers import GenerationId, OrderId, StyleId, TransferId, UserId
from core.paging import Page, PageRequest


class Balance(msgspec.Struct, frozen=True):
    user_id: UserId
    token_balance: int
    """Tokens free to spend."""
    held_tokens: int
    """Tokens put aside for generations that have not ended."""
    earned_token_balance: int | None
    """Tokens earned as an artist; None for others."""


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


class TransactionLine(msgspec.Struct, frozen=True):
    """One movement as one of its parties sees it.

    A payer sees a hold as one line, with the hold's id and time: pending, then completed when posted, or failed and
    refunded when voided. A payee sees it once it is posted, as a line with the id and time of the posting. So who pays
    oneself sees two lines.
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
    """None for the platform."""
    receiver: Party | None
    """None for the platform."""
    related_style: RelatedStyle | None
    related_generation: RelatedGeneration | None
    related_purchase: RelatedPurchase | None = None


class TokensReader(Protocol):
    async def balance(self, user_id: UserId) -> Balance:
        """What the posted transfers and open holds say; zeros for one without an account."""
        ...

    async def transactions(
        self, user_id: UserId, *, type: TransactionFilter, page: PageRequest
    ) -> Page[TransactionLine]:
        """Newest first. REFUND finds generations whose tokens came back as well as refund transfers."""
        ...
