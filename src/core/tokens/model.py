from datetime import datetime
from enum import Enum

import msgspec

from core.identifiers import GenerationId, HoldId, OrderId, UserId

WELCOME_TOKENS = 100
FEE_MEMO = "Platform fee"
MAX_AMOUNT = 1_000_000_000
"""Tokens in one movement, at most: far from where 64-bit sums could overflow."""


class AccountKind(Enum):
    WALLET = "wallet"
    """A user's tokens to spend."""
    EARNINGS = "earnings"
    """What an artist's styles have earned."""
    ISSUANCE = "issuance"
    """The platform's: where sold and gifted tokens come from, so the one account below zero."""
    FEES = "fees"
    """The platform's share."""


class Account(msgspec.Struct, frozen=True):
    kind: AccountKind
    owner: UserId | None = None
    """None for the platform's own."""


ISSUANCE = Account(AccountKind.ISSUANCE)
FEES = Account(AccountKind.FEES)


def wallet(owner: UserId) -> Account:
    return Account(AccountKind.WALLET, owner)


def earnings(owner: UserId) -> Account:
    return Account(AccountKind.EARNINGS, owner)


class TransferKind(Enum):
    """Why tokens moved."""

    BONUS = "bonus"
    PURCHASE = "purchase"
    GENERATION = "generation"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"
    FEE = "fee"
    """The platform's share of what an image has earned."""


WAYS = {
    TransferKind.BONUS: (AccountKind.ISSUANCE, AccountKind.WALLET),
    TransferKind.PURCHASE: (AccountKind.ISSUANCE, AccountKind.WALLET),
    TransferKind.GENERATION: (AccountKind.WALLET, AccountKind.EARNINGS),
    TransferKind.REFUND: (AccountKind.ISSUANCE, AccountKind.WALLET),
    TransferKind.WITHDRAWAL: (AccountKind.EARNINGS, AccountKind.ISSUANCE),
    TransferKind.FEE: (AccountKind.EARNINGS, AccountKind.FEES),
}
"""Where tokens come from and where they go."""
GIVEN = frozenset({TransferKind.BONUS, TransferKind.PURCHASE, TransferKind.REFUND})
"""What moves at once."""
HELD = frozenset({TransferKind.GENERATION, TransferKind.WITHDRAWAL})
"""What moves in two phases. A fee is taken from what is posted."""


class PlatformFee(msgspec.Struct, frozen=True):
    """What the platform keeps of each image's price."""

    percent: int
    """0 to 100."""

    def of(self, tokens: int) -> int:
        """Whole tokens; what cannot be divided is the artist's."""
        return tokens * self.percent // 100


class Sale(msgspec.Struct, frozen=True):
    """What was paid for tokens, in whole units of the currency."""

    order_id: OrderId
    price_per_token: int
    total_price: int
    currency_code: str
    """ISO 4217."""


class Transfer(msgspec.Struct, frozen=True):
    """Tokens that the platform gives: they move at once."""

    reference: str
    kind: TransferKind
    debit: Account
    """Where they come from."""
    credit: Account
    """Where they go."""
    amount: int
    """Tokens, 1 to MAX_AMOUNT."""
    at: datetime
    memo: str | None = None
    sale: Sale | None = None
    """For purchases, and only for them."""

    def __post_init__(self) -> None:
        _check_movement(self.kind, GIVEN, self.debit, self.credit, self.amount)
        if (self.kind is TransferKind.PURCHASE) != (self.sale is not None):
            raise ValueError("a purchase tells what was paid, and nothing else does")


class Hold(msgspec.Struct, frozen=True):
    """Tokens put aside where they are until they have been paid or are free again."""

    id: HoldId
    reference: str
    kind: TransferKind
    debit: Account
    """Where they are."""
    credit: Account
    """Where they go when it is posted."""
    amount: int
    """Tokens, 1 to MAX_AMOUNT."""
    at: datetime
    generation_id: GenerationId | None = None

    def __post_init__(self) -> None:
        _check_movement(self.kind, HELD, self.debit, self.credit, self.amount)


def welcome_bonus(user_id: UserId, *, at: datetime) -> Transfer:
    """The same for a user however often it is made: the reference is one's own."""
    return Transfer(
        reference=f"welcome:{user_id}",
        kind=TransferKind.BONUS,
        debit=ISSUANCE,
        credit=wallet(user_id),
        amount=WELCOME_TOKENS,
        at=at,
        memo="Welcome to Style License",
    )


def _check_movement(
    kind: TransferKind, kinds: frozenset[TransferKind], debit: Account, credit: Account, amount: int
) -> None:
    if kind not in kinds or (debit.kind, credit.kind) != WAYS[kind]:
        raise ValueError(f"a {kind.value} from {debit.kind.value} to {credit.kind.value}")
    if not 0 < amount <= MAX_AMOUNT:
        raise ValueError(f"a movement of {amount} tokens; it takes 1 to {MAX_AMOUNT}")
