from datetime import datetime, timedelta
from enum import Enum

import msgspec

from core.identifiers import GenerationId, HoldId, OrderId, UserId

WELCOME_TOKENS = 100
FEE_MEMO = "Platform fee"
MAX_AMOUNT = 1_000_000_000
"""Maximum tokens per transfer, far below where 64-bit sums could overflow."""


class AccountKind(Enum):
    WALLET = "wallet"
    """A user's spendable tokens."""
    EARNINGS = "earnings"
    """An artist's earnings."""
    ISSUANCE = "issuance"
    """The platform's source of sold and gifted tokens; the only account with a negative balance."""
    FEES = "fees"
    """The platform's fees."""


class Account(msgspec.Struct, frozen=True):
    kind: AccountKind
    owner: UserId | None = None
    """None for the platform's accounts."""


ISSUANCE = Account(AccountKind.ISSUANCE)
FEES = Account(AccountKind.FEES)


def wallet(owner: UserId) -> Account:
    return Account(AccountKind.WALLET, owner)


def earnings(owner: UserId) -> Account:
    return Account(AccountKind.EARNINGS, owner)


class TransferKind(Enum):
    """The reason for a transfer."""

    BONUS = "bonus"
    TAKEN_BONUS = "taken_bonus"
    """Bonus tokens that an admin takes back."""
    PURCHASE = "purchase"
    CHARGE_BACK = "charge_back"
    """Tokens whose money was taken back at the payment provider; what is missing of them becomes a debt."""
    REFUND = "refund"
    """Bought tokens whose money is given back."""
    FORGIVENESS = "forgiveness"
    """Of a debt."""
    GENERATION = "generation"
    WITHDRAWAL = "withdrawal"
    FEE = "fee"
    """The platform's share of a price."""


ACCOUNT_KINDS = {
    TransferKind.BONUS: (AccountKind.ISSUANCE, AccountKind.WALLET),
    TransferKind.TAKEN_BONUS: (AccountKind.WALLET, AccountKind.ISSUANCE),
    TransferKind.PURCHASE: (AccountKind.ISSUANCE, AccountKind.WALLET),
    TransferKind.CHARGE_BACK: (AccountKind.WALLET, AccountKind.ISSUANCE),
    TransferKind.REFUND: (AccountKind.WALLET, AccountKind.ISSUANCE),
    TransferKind.FORGIVENESS: (AccountKind.ISSUANCE, AccountKind.WALLET),
    TransferKind.GENERATION: (AccountKind.WALLET, AccountKind.EARNINGS),
    TransferKind.WITHDRAWAL: (AccountKind.EARNINGS, AccountKind.ISSUANCE),
    TransferKind.FEE: (AccountKind.EARNINGS, AccountKind.FEES),
}
"""Debit and credit account of each kind of transfer."""
ONE_PHASE = frozenset(
    {
        TransferKind.BONUS,
        TransferKind.TAKEN_BONUS,
        TransferKind.PURCHASE,
        TransferKind.CHARGE_BACK,
        TransferKind.FORGIVENESS,
    }
)
"""Kinds transferred in one phase."""
MONEY = frozenset({TransferKind.PURCHASE, TransferKind.CHARGE_BACK, TransferKind.REFUND})
"""Kinds with an amount of money."""
BOUGHT = MONEY | {TransferKind.FORGIVENESS}
"""Kinds of which all tokens are paid ones; of bonus tokens none are."""
TWO_PHASE = frozenset({TransferKind.GENERATION, TransferKind.WITHDRAWAL, TransferKind.REFUND})
"""Kinds transferred in two phases. A fee is charged when a hold is posted."""


class PlatformFee(msgspec.Struct, frozen=True):
    """The platform's share of each price."""

    percent: int
    """0 to 100."""

    def of(self, tokens: int) -> int:
        """The fee in whole tokens, rounded down in the artist's favour."""
        return tokens * self.percent // 100


class PayoutTerms(msgspec.Struct, frozen=True):
    """When and how earnings can be withdrawn."""

    delay: timedelta
    """The time after which earnings have matured."""
    minimum: int
    """Tokens of a withdrawal."""

    def earned_until(self, now: datetime) -> datetime:
        """What was earned before this has matured."""
        return now - self.delay


class Sale(msgspec.Struct, frozen=True):
    """The money paid for tokens, taken back or refunded, in whole units of the currency."""

    order_id: OrderId
    price_per_token: int
    total_price: int
    currency_code: str
    """ISO 4217."""


class Transfer(msgspec.Struct, frozen=True):
    """A one-phase transfer between the platform and a wallet."""

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
    """For kinds of MONEY only."""

    def __post_init__(self) -> None:
        _check_transfer(self.kind, ONE_PHASE, self.debit, self.credit, self.amount)
        _check_sale(self.kind, self.sale)


class Hold(msgspec.Struct, frozen=True):
    """The first phase of a transfer: tokens stay in the debit account but are not available."""

    id: HoldId
    reference: str
    kind: TransferKind
    debit: Account
    """The account that holds the tokens."""
    credit: Account
    """The account that gets the tokens when the hold is posted."""
    amount: int
    """Tokens, 1 to MAX_AMOUNT."""
    at: datetime
    generation_id: GenerationId | None = None
    memo: str | None = None
    sale: Sale | None = None
    """For kinds of MONEY only."""

    def __post_init__(self) -> None:
        _check_transfer(self.kind, TWO_PHASE, self.debit, self.credit, self.amount)
        _check_sale(self.kind, self.sale)


def paid_part(amount: int, *, bonus: int) -> int:
    """How many tokens of an amount are paid ones: a wallet spends its `bonus` tokens first."""
    return max(0, amount - bonus)


def paid_fee(fee: int, price: int, withdrawable: int) -> int:
    """The part of a fee that is taken from what the artist can withdraw: its share of that, rounded down."""
    return withdrawable * fee // price


def welcome_bonus(user_id: UserId, *, at: datetime) -> Transfer:
    """The reference is the user's, so each user gets it once."""
    return Transfer(
        reference=f"welcome:{user_id}",
        kind=TransferKind.BONUS,
        debit=ISSUANCE,
        credit=wallet(user_id),
        amount=WELCOME_TOKENS,
        at=at,
        memo="Welcome to Style License",
    )


def _check_transfer(
    kind: TransferKind, kinds: frozenset[TransferKind], debit: Account, credit: Account, amount: int
) -> None:
    if kind not in kinds or (debit.kind, credit.kind) != ACCOUNT_KINDS[kind]:
        raise ValueError(f"a {kind.value} from {debit.kind.value} to {credit.kind.value}")
    if not 0 < amount <= MAX_AMOUNT:
        raise ValueError(f"a movement of {amount} tokens; it takes 1 to {MAX_AMOUNT}")


def _check_sale(kind: TransferKind, sale: Sale | None) -> None:
    if (kind in MONEY) != (sale is not None):
        raise ValueError("purchases, refunds and charge-backs have an amount of money, other transfers have none")
