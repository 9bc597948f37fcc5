"""Payments as the payment provider reports them."""

from decimal import Decimal
from enum import Enum

import msgspec

from core.identifiers import OrderId


class PaymentState(Enum):
    PENDING = "pending"
    """Nothing is captured yet, but may still be."""
    CAPTURED = "captured"
    CANCELLED = "cancelled"
    """Ended; the buyer keeps or got back the money."""


class PaymentFailure(msgspec.Struct, frozen=True):
    code: str
    """The provider's code."""
    message: str


class Payment(msgspec.Struct, frozen=True):
    key: str
    """The provider's id of the payment."""
    order_id: OrderId
    state: PaymentState
    amount: Decimal
    """In units of the currency; once captured, what is left after refunds."""
    currency_code: str
    """ISO 4217."""
    failure: PaymentFailure | None = None
    """Why it was not captured, if the provider reports it."""

    @property
    def kept(self) -> Decimal:
        """What was captured and not refunded, in units of the currency."""
        return self.amount if self.state is PaymentState.CAPTURED else Decimal(0)
