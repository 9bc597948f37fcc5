from datetime import datetime, timedelta
from enum import Enum

import msgspec

from core.identifiers import OrderId, UserId
from core.purchases.errors import PaymentMismatch
from core.purchases.packages import Package
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.tokens.model import ISSUANCE, Sale, Transfer, TransferKind, wallet

TIME_TO_PAY = timedelta(minutes=15)
TIME_TO_SETTLE = timedelta(minutes=2)
"""A confirmation that began in time has come to its end by then, even if nobody here heard of it."""
CHECK_AGAIN = timedelta(minutes=1)
"""When to ask again after the provider was out of reach."""


class PurchaseStatus(Enum):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"


class Purchase(msgspec.Struct, frozen=True):
    """A package that somebody wants to pay for, at the terms of that moment."""

    order_id: OrderId
    user_id: UserId
    package_id: str
    amount_tokens: int
    total_price: int
    price_per_token: int
    currency_code: str
    created_at: datetime
    expires_at: datetime
    check_at: datetime
    """When to ask the provider what has become of it, unless it has told by then."""
    status: PurchaseStatus = PurchaseStatus.PENDING
    payment_key: str | None = None
    """The provider's name for the payment that ended it."""
    failure: PaymentFailure | None = None
    ended_at: datetime | None = None

    def payable(self, *, at: datetime) -> bool:
        """Whether money may be taken for it. What was taken anyway counts whenever it is heard of."""
        return self.status is PurchaseStatus.PENDING and at < self.expires_at

    def answered(self, payment: Payment, *, at: datetime) -> "Purchase":
        """As the provider's answer leaves it: money that was taken counts, whatever was thought in between.

        Money of another amount or currency buys nothing: somebody has to look at it. Raises PaymentMismatch for the
        payment of another purchase.
        """
        if payment.order_id != self.order_id:
            raise PaymentMismatch
        if self.status is PurchaseStatus.PAID or payment.state is PaymentState.OPEN:
            return self
        if payment.state is PaymentState.TAKEN:
            if payment.amount == self.total_price and payment.currency_code == self.currency_code:
                return self._ended(PurchaseStatus.PAID, at=at, payment_key=payment.key, failure=None)
            return self._failed(payment, _not_the_price(payment), at=at)
        if self.status is PurchaseStatus.PENDING:
            return self._failed(payment, payment.failure or NOT_PAID, at=at)
        return self

    def given_back(self, payment: Payment) -> bool:
        """Whether the buyer has money back that paid for it. The tokens stay: they may be spent."""
        ours = self.status is PurchaseStatus.PAID and payment.key == self.payment_key
        return ours and payment.state is not PaymentState.OPEN and payment.kept < self.total_price

    def unpaid(self, *, at: datetime) -> "Purchase":
        """As it is when the provider knows of no money: expired, once all time for it is over."""
        if self.status is not PurchaseStatus.PENDING:
            return self
        over = self.expires_at + TIME_TO_SETTLE
        if at < over:
            return msgspec.structs.replace(self, check_at=over)
        return self._ended(PurchaseStatus.EXPIRED, at=at, payment_key=None, failure=None)

    def called_off(self, *, at: datetime) -> "Purchase":
        """As it is when its buyer goes: no more money is taken for it, and what has just been taken is asked for."""
        return msgspec.structs.replace(
            self, expires_at=min(self.expires_at, at), check_at=min(self.check_at, at + TIME_TO_SETTLE)
        )

    def unanswered(self, *, at: datetime) -> "Purchase":
        """As it is when the provider is out of reach."""
        if self.status is not PurchaseStatus.PENDING:
            return self
        return msgspec.structs.replace(self, check_at=at + CHECK_AGAIN)

    def credit(self) -> Transfer:
        """The tokens that a paid purchase brings. There is one such movement: its reference is the order's."""
        if self.status is not PurchaseStatus.PAID or self.ended_at is None:
            raise ValueError(f"purchase {self.order_id} has not been paid")
        return Transfer(
            reference=f"purchase:{self.order_id}",
            kind=TransferKind.PURCHASE,
            debit=ISSUANCE,
            credit=wallet(self.user_id),
            amount=self.amount_tokens,
            at=self.ended_at,
            sale=Sale(self.order_id, self.price_per_token, self.total_price, self.currency_code),
        )

    def _failed(self, payment: Payment, failure: PaymentFailure, *, at: datetime) -> "Purchase":
        if (self.payment_key, self.failure) == (payment.key, failure):
            return self
        return self._ended(PurchaseStatus.FAILED, at=at, payment_key=payment.key, failure=failure)

    def _ended(
        self, status: PurchaseStatus, *, at: datetime, payment_key: str | None, failure: PaymentFailure | None
    ) -> "Purchase":
        return msgspec.structs.replace(self, status=status, ended_at=at, payment_key=payment_key, failure=failure)


NOT_PAID = PaymentFailure("NOT_PAID", "The payment was given up.")


def new_purchase(order_id: OrderId, user_id: UserId, package: Package, *, at: datetime) -> Purchase:
    expires_at = at + TIME_TO_PAY
    return Purchase(
        order_id=order_id,
        user_id=user_id,
        package_id=package.package_id,
        amount_tokens=package.amount_tokens,
        total_price=package.total_price,
        price_per_token=package.price_per_token,
        currency_code=package.currency_code,
        created_at=at,
        expires_at=expires_at,
        check_at=expires_at + TIME_TO_SETTLE,
    )


def _not_the_price(payment: Payment) -> PaymentFailure:
    return PaymentFailure(PaymentMismatch.code, f"{payment.amount} {payment.currency_code} is not the price.")
