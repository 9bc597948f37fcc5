from datetime import datetime, timedelta
from enum import Enum

import msgspec

from core.errors import ValidationError
from core.identifiers import HoldId, OrderId, UserId
from core.problems import wrong_token_amount
from core.purchases.errors import NotRefundable, PaymentMismatch, RefundObstacle
from core.purchases.packages import Package
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.purchases.refund import CHARGED_BACK, Refund, RefundPeriod
from core.tokens.model import ISSUANCE, Hold, Sale, Transfer, TransferKind, wallet

TIME_TO_PAY = timedelta(minutes=15)
TIME_TO_SETTLE = timedelta(minutes=2)
"""After this time a confirmation that began in time has ended, even if its result never arrived."""
CHECK_AGAIN = timedelta(minutes=1)
"""The delay before the provider is asked again after it was unavailable."""


class PurchaseStatus(Enum):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUNDING = "refunding"
    """Paid, and the payment provider is asked to give money back."""
    REFUNDED = "refunded"
    """Paid, and all the money went back."""

    @property
    def credited(self) -> bool:
        return self in (PurchaseStatus.PAID, PurchaseStatus.REFUNDING, PurchaseStatus.REFUNDED)


class Purchase(msgspec.Struct, frozen=True):
    """The purchase of a package at the terms offered when it was started."""

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
    """When to ask the provider for the payment or its refund, unless it has reported by then."""
    status: PurchaseStatus = PurchaseStatus.PENDING
    payment_key: str | None = None
    """The provider's id of the payment that ended it."""
    failure: PaymentFailure | None = None
    ended_at: datetime | None = None
    refunded_price: int = 0
    """How much of the money has gone back."""
    refunded_tokens: int = 0
    """How many of the tokens were taken back for it, or are owed."""
    refund: Refund | None = None
    """The last one that was requested."""

    @property
    def open_refund(self) -> Refund | None:
        return self.refund if self.status is PurchaseStatus.REFUNDING else None

    def payable(self, *, at: datetime) -> bool:
        """Whether money may still be captured for it. Money captured later is credited all the same."""
        return self.status is PurchaseStatus.PENDING and at < self.expires_at

    def apply(self, payment: Payment, *, at: datetime) -> "Purchase":
        """Apply the provider's answer: a captured payment counts, whatever the status was before, and so does money
        that has gone back since; an older answer changes nothing.

        A payment of another amount or currency is not credited and needs manual review. Raises PaymentMismatch for the
        payment of another purchase.
        """
        if payment.order_id != self.order_id:
            raise PaymentMismatch
        if self.status.credited:
            return self._cancelled(payment)
        if payment.state is PaymentState.PENDING:
            return self
        if payment.state is PaymentState.CAPTURED:
            if payment.amount == self.total_price and payment.currency_code == self.currency_code:
                return self._end(PurchaseStatus.PAID, at=at, payment_key=payment.key, failure=None)
            return self._fail(payment, _not_the_price(payment), at=at)
        if self.status is PurchaseStatus.PENDING:
            return self._fail(payment, payment.failure or NOT_PAID, at=at)
        return self

    def _cancelled(self, payment: Payment) -> "Purchase":
        """Money that went back takes its tokens with it, rounded up to whole ones. An open refund ends when its money
        has gone back, or when less is left than it asks for.
        """
        if payment.key != self.payment_key or payment.state is PaymentState.PENDING:
            return self
        price = self.total_price - int(payment.kept)
        if price <= self.refunded_price:
            return self
        status, refund = PurchaseStatus.PAID, self.refund
        if asked := self.open_refund:
            if price < self.refunded_price + asked.price:
                status = PurchaseStatus.REFUNDING
            if status is PurchaseStatus.REFUNDING and price + asked.price > self.total_price:
                status, refund = PurchaseStatus.PAID, msgspec.structs.replace(asked, failure=CHARGED_BACK)
        return msgspec.structs.replace(
            self,
            status=PurchaseStatus.REFUNDED if price == self.total_price else status,
            refunded_price=price,
            refunded_tokens=-(-self.amount_tokens * price // self.total_price),
            refund=refund,
        )

    def ask_refund(
        self, hold_id: HoldId, *, tokens: int | None, reason: str, period: RefundPeriod, at: datetime
    ) -> "Purchase":
        """Begin to refund tokens that are left, by default all.

        Raises NotRefundable or ValidationError, naming `tokens`.
        """
        if self.status is PurchaseStatus.REFUNDING:
            raise NotRefundable(RefundObstacle.REFUNDING)
        left = self.amount_tokens - self.refunded_tokens
        if self.status is not PurchaseStatus.PAID or self.ended_at is None or left == 0:
            raise NotRefundable(RefundObstacle.NOT_PAID)
        if at >= self.ended_at + period:
            raise NotRefundable(RefundObstacle.TOO_LATE)
        if tokens is not None and not 1 <= tokens <= left:
            raise ValidationError(tokens=wrong_token_amount(1, left))
        in_full = tokens is None or tokens == left
        refund = Refund(
            hold_id,
            tokens=left if tokens is None else tokens,
            price=self.total_price - self.refunded_price if in_full else (tokens or 0) * self.price_per_token,
            reason=reason,
        )
        return msgspec.structs.replace(self, status=PurchaseStatus.REFUNDING, refund=refund, check_at=at)

    def refuse_refund(self, hold_id: HoldId, failure: PaymentFailure) -> "Purchase":
        """The provider refuses the refund with this hold: the purchase is as paid as before. Unchanged if that refund
        has ended.
        """
        refund = self.open_refund
        if refund is None or refund.hold_id != hold_id:
            return self
        return msgspec.structs.replace(
            self, status=PurchaseStatus.PAID, refund=msgspec.structs.replace(refund, failure=failure)
        )

    def refund_hold(self, *, at: datetime) -> Hold:
        """The hold of the tokens of the refund."""
        refund = self.open_refund
        if refund is None:
            raise ValueError(f"purchase {self.order_id} is not being refunded")
        return Hold(
            id=refund.hold_id,
            reference=f"refund:{self.order_id}:{refund.hold_id}",
            kind=TransferKind.REFUND,
            debit=wallet(self.user_id),
            credit=ISSUANCE,
            amount=refund.tokens,
            at=at,
            memo=refund.reason,
            sale=Sale(self.order_id, self.price_per_token, refund.price, self.currency_code),
        )

    def charge_back(self, before: "Purchase", *, at: datetime) -> Transfer | None:
        """The transfer of what was taken back since, without a refund; its reference is the money that has gone back,
        so it happens once. None if that is less than a token.
        """
        tokens = self.refunded_tokens - before.refunded_tokens
        price = self.refunded_price - before.refunded_price
        if before.open_refund and self.refund == before.refund and self.open_refund is None:
            tokens -= before.open_refund.tokens
            price -= before.open_refund.price
        if tokens == 0:
            return None
        return Transfer(
            reference=f"charge_back:{self.order_id}:{self.refunded_price}",
            kind=TransferKind.CHARGE_BACK,
            debit=wallet(self.user_id),
            credit=ISSUANCE,
            amount=tokens,
            at=at,
            sale=Sale(self.order_id, self.price_per_token, price, self.currency_code),
        )

    def expire_if_due(self, *, at: datetime) -> "Purchase":
        """The provider has no captured payment: expires once the time to pay and settle is over."""
        if self.status is not PurchaseStatus.PENDING:
            return self
        over = self.expires_at + TIME_TO_SETTLE
        if at < over:
            return msgspec.structs.replace(self, check_at=over)
        return self._end(PurchaseStatus.EXPIRED, at=at, payment_key=None, failure=None)

    def expire_now(self, *, at: datetime) -> "Purchase":
        """The buyer's account is deleted: no more money is captured, and a payment just captured is checked for."""
        if self.status is not PurchaseStatus.PENDING:
            return self
        return msgspec.structs.replace(
            self, expires_at=min(self.expires_at, at), check_at=min(self.check_at, at + TIME_TO_SETTLE)
        )

    def check_later(self, *, at: datetime) -> "Purchase":
        """The provider is unavailable, or being asked: check again later."""
        if self.status not in (PurchaseStatus.PENDING, PurchaseStatus.REFUNDING):
            return self
        return msgspec.structs.replace(self, check_at=at + CHECK_AGAIN)

    def credit(self) -> Transfer:
        """The transfer of the purchased tokens. Its reference is the order id, so it happens once."""
        if not self.status.credited or self.ended_at is None:
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

    def _fail(self, payment: Payment, failure: PaymentFailure, *, at: datetime) -> "Purchase":
        if (self.payment_key, self.failure) == (payment.key, failure):
            return self
        return self._end(PurchaseStatus.FAILED, at=at, payment_key=payment.key, failure=failure)

    def _end(
        self, status: PurchaseStatus, *, at: datetime, payment_key: str | None, failure: PaymentFailure | None
    ) -> "Purchase":
        return msgspec.structs.replace(self, status=status, ended_at=at, payment_key=payment_key, failure=failure)


NOT_PAID = PaymentFailure("NOT_PAID", "The payment was abandoned.")


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
