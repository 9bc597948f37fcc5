from collections import defaultdict
from decimal import Decimal

import msgspec

from core.identifiers import OrderId
from core.ports.payment_provider import Order, PaymentProvider, PaymentsUnavailable
from core.purchases.payment import Payment, PaymentFailure, PaymentState


class MemoryPaymentProvider(PaymentProvider):
    """A provider whose buyers and failures are controlled by its holder."""

    def __init__(self) -> None:
        self.payments: dict[str, Payment] = {}
        """By key."""
        self.captured: dict[str, Payment] = {}
        """By key: payments as they were captured."""
        self.reachable = True
        """False: every call fails without effect."""
        self.answers_confirmations = True
        """False: confirmations capture, but their answer is lost."""
        self.confirmations = 0
        """How many payments were captured."""
        self.answers_cancellations = True
        """False: cancellations give the money back, but their answer is lost."""
        self.given_back: dict[str, list[int]] = defaultdict(list)
        """By key: the sums that were given back at our request."""
        self._agreed: set[str] = set()
        self._refused: dict[str, PaymentFailure] = {}
        self._not_refundable: set[str] = set()
        self._cancelled: dict[str, Payment | PaymentFailure] = {}

    def agree(self, order_id: OrderId) -> str:
        """The buyer authorizes the payment; returns the payment key that the browser would bring back."""
        key = self._of(order_id).key
        self._agreed.add(key)
        return key

    def give_up(self, order_id: OrderId) -> None:
        """The buyer abandons the payment."""
        self._end(self._of(order_id), PaymentFailure("PAY_PROCESS_CANCELED", "The buyer gave up."))

    def refuse(self, order_id: OrderId) -> None:
        """The buyer's card will be declined."""
        self._refused[self._of(order_id).key] = PaymentFailure("REJECT_CARD_PAYMENT", "The card was refused.")

    def charge(self, order_id: OrderId, *, amount: Decimal | int | None = None, currency_code: str = "KRW") -> str:
        """Capture without our confirmation; returns the payment key."""
        payment = self._of(order_id)
        self.payments[payment.key] = msgspec.structs.replace(
            payment,
            state=PaymentState.CAPTURED,
            amount=payment.amount if amount is None else Decimal(amount),
            currency_code=currency_code,
        )
        self.captured[payment.key] = self.payments[payment.key]
        return payment.key

    def refund(self, order_id: OrderId, *, left: int) -> None:
        """Refund at the provider, in full or all but `left`."""
        payment = self._of(order_id)
        state = PaymentState.CAPTURED if left else PaymentState.CANCELLED
        self.payments[payment.key] = msgspec.structs.replace(
            payment, state=state, amount=Decimal(left) if left else payment.amount
        )

    def refuse_to_refund(self, order_id: OrderId) -> None:
        """New cancellations of the payment will be refused."""
        self._not_refundable.add(self._of(order_id).key)

    def agree_to_refund(self, order_id: OrderId) -> None:
        """New cancellations of the payment will be carried out again."""
        self._not_refundable.discard(self._of(order_id).key)

    async def checkout(self, order: Order) -> str:
        self._check_reachable()
        key = f"payment-{len(self.payments) + 1}"
        self.payments[key] = Payment(
            key, order.order_id, PaymentState.PENDING, Decimal(order.amount), order.currency_code
        )
        return f"https://payments.example/{key}"

    async def confirm(self, order_id: OrderId, *, payment_key: str, amount: int) -> Payment | None:
        self._check_reachable()
        payment = self.payments.get(payment_key)
        ours = payment is not None and payment.order_id == order_id and payment.amount == amount
        if payment is not None and ours and payment.state is PaymentState.PENDING and payment_key in self._agreed:
            if refusal := self._refused.get(payment_key):
                self._end(payment, refusal)
            else:
                self.charge(order_id)
                self.confirmations += 1
        if not self.answers_confirmations:
            raise PaymentsUnavailable
        return self.payments.get(payment_key)

    async def cancel(
        self,
        payment_key: str,
        *,
        amount: int,
        reason: str,  # noqa: ARG002 (nobody reads it here)
        idempotency_key: str,
    ) -> Payment | PaymentFailure:
        self._check_reachable()
        if idempotency_key not in self._cancelled:
            self._cancelled[idempotency_key] = self._cancel(payment_key, amount)
        if not self.answers_cancellations:
            raise PaymentsUnavailable
        return self._cancelled[idempotency_key]

    def _cancel(self, payment_key: str, amount: int) -> Payment | PaymentFailure:
        payment = self.payments.get(payment_key)
        if payment is None:
            return PaymentFailure("NOT_FOUND_PAYMENT", "There is no such payment.")
        if payment_key in self._not_refundable or payment.kept < amount:
            return PaymentFailure("NOT_CANCELABLE_AMOUNT", "This cannot be given back.")
        self.refund(payment.order_id, left=int(payment.kept) - amount)
        self.given_back[payment_key].append(amount)
        return self.payments[payment_key]

    async def payment(self, payment_key: str) -> Payment | None:
        self._check_reachable()
        return self.payments.get(payment_key)

    async def payment_of(self, order_id: OrderId) -> Payment | None:
        self._check_reachable()
        return next((payment for payment in self.payments.values() if payment.order_id == order_id), None)

    def _of(self, order_id: OrderId) -> Payment:
        return next(payment for payment in self.payments.values() if payment.order_id == order_id)

    def _end(self, payment: Payment, failure: PaymentFailure) -> None:
        self.payments[payment.key] = msgspec.structs.replace(payment, state=PaymentState.CANCELLED, failure=failure)

    def _check_reachable(self) -> None:
        if not self.reachable:
            raise PaymentsUnavailable
