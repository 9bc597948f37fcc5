from typing import Protocol

import msgspec

from core.errors import Category, DomainError
from core.identifiers import OrderId
from core.purchases.payment import Payment, PaymentFailure


class PaymentsUnavailable(DomainError):
    """The provider is unavailable or answered invalidly, or none is configured: the effect of the call is unknown."""

    code = "PAYMENTS_UNAVAILABLE"
    category = Category.UNAVAILABLE


class Order(msgspec.Struct, frozen=True):
    """What the buyer is to pay for."""

    order_id: OrderId
    name: str
    """Shown to the buyer."""
    amount: int
    """In whole units of the currency."""
    currency_code: str
    """ISO 4217."""


class PaymentProvider(Protocol):
    """Captures payments in two steps: the buyer authorizes at the provider's page, then we confirm, which captures.

    The provider redirects the browser to us with a payment key and may send webhooks; both can be forged, so only
    answers to these calls are trusted. All raise PaymentsUnavailable, within 15 seconds.
    """

    async def checkout(self, order: Order) -> str:
        """The URL of the provider's payment page. Nothing is captured before `confirm`."""
        ...

    async def confirm(self, order_id: OrderId, *, payment_key: str, amount: int) -> Payment | None:
        """Capture the payment, once however often it is called, and return its current state.

        If the provider refuses, the payment says why, or is still pending. None if the provider does not know it. After
        PaymentsUnavailable the money may have been captured.
        """
        ...

    async def cancel(
        self, payment_key: str, *, amount: int, reason: str, idempotency_key: str
    ) -> Payment | PaymentFailure:
        """Give back `amount` of a captured payment, once for each idempotency key, and return its current state.

        A failure is final: nothing goes back for this key. After PaymentsUnavailable the money may have gone back.
        """
        ...

    async def payment(self, payment_key: str) -> Payment | None:
        """The payment's current state; None if the provider does not know it."""
        ...

    async def payment_of(self, order_id: OrderId) -> Payment | None:
        """The current state of the payment for an order; None if the provider has none."""
        ...
