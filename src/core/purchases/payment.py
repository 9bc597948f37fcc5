"""What a payment provider says of a payment."""

from decimal import Decimal
from enum import Enum

import msgspec

from core.identifiers import OrderId


class PaymentState(Enum):
    OPEN = "open"
    """No money has been taken, but it may still be."""
    TAKEN = "taken"
    OVER = "over"
    """It has ended, and the buyer keeps the money."""


class PaymentFailure(msgspec.Struct, frozen=True):
    code: str
    """As the provider names it."""
    message: str


class Payment(msgspec.Struct, frozen=True):
    key: str
    """The provider's own name for it."""
    order_id: OrderId
    state: PaymentState
    amount: Decimal
    """In units of the currency; once taken, what has been kept of it."""
    currency_code: str
    """ISO 4217."""
    failure: PaymentFailure | None = None
    """Why it is over, where the provider tells."""

    @property
    def kept(self) -> Decimal:
        """What we have of it, in units of the currency."""
        return self.amount if self.state is PaymentState.TAKEN else Decimal(0)
