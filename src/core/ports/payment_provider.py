from typing import Protocol

import msgspec

from core.errors import Category, DomainError
from core.identifiers import OrderId
from core.purchases.payment import Payment


class PaymentsUnavailable(DomainError):
    """The provider is out of reach, answers what makes no sense, or has none behind it: what it did is not known."""

    code = "PAYMENTS_UNAVAILABLE"
    category = Category.UNAVAILABLE


class Order(msgspec.Struct, frozen=True):
    """What is to be paid."""

    order_id: OrderId
    name: str
    """For the buyer to read."""
    amount: int
    """In whole units of the currency."""
    currency_code: str
    """ISO 4217."""


class PaymentProvider(Protocol):
    """Takes money in two steps: the buyer agrees at the provider's page, then we confirm and the money is taken.

    The provider sends the browser back to us with a payment's key, and may tell us of changes besides; both can be
    forged, so only what these calls answer is believed. All raise PaymentsUnavailable, within 15 seconds.
    """

    async def checkout(self, order: Order) -> str:
        """The URL of a page where the buyer pays. Nothing is taken before it is confirmed."""
        ...

    async def confirm(self, order_id: OrderId, *, payment_key: str, amount: int) -> Payment | None:
        """Have the money taken, once however often it is asked for, and answer the payment as it is then.

        Where the provider refuses, the payment tells why, or is still open. None: it knows no such payment. After
        PaymentsUnavailable the money may have been taken.
        """
        ...

    async def payment(self, payment_key: str) -> Payment | None:
        """The payment as it is now; None where the provider knows none."""
        ...

    async def payment_of(self, order_id: OrderId) -> Payment | None:
        """The payment for an order as it is now; None where the provider knows none."""
        ...
