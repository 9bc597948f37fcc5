from datetime import datetime
from enum import Enum

import msgspec

from core.identifiers import GenerationId, HoldId, OrderId, UserId

WELCOME_TOKENS = 100
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


class Sale(msgspec.Struct, frozen=True):
    """What was paid for tokens, in whole units of the currency."""

    order_id: OrderId
    price_per_token: int
    total_price: int
    currency_code: str
    """ISO 4217."""


class Transfer(msgspec.Struct, frozen=True):
    """Tokens that move at once."""

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
        _check_amount(self.amount)
        if (self.kind is TransferKind.PURCHASE) != (self.sale is not None):
            raise ValueError("a purchase tells what was paid, and nothing else does")


class Hold(msgspec.Struct, frozen=True):
    """Tokens put aside in the payer's wallet until the payee has earned them or the payer has them back."""

    id: HoldId
    reference: str
    payer: UserId
    payee: UserId
    amount: int
    """Tokens, 1 to MAX_AMOUNT."""
    at: datetime
    generation_id: GenerationId

    def __post_init__(self) -> None:
        _check_amount(self.amount)


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


def _check_amount(amount: int) -> None:
    if not 0 < amount <= MAX_AMOUNT:
        raise ValueError(f"a movement of {amount} tokens; it takes 1 to {MAX_AMOUNT}")
