from datetime import timedelta
from typing import NewType

import msgspec

from core.identifiers import HoldId
from core.purchases.payment import PaymentFailure

RefundPeriod = NewType("RefundPeriod", timedelta)
"""How long after its payment a purchase can be refunded."""

CHARGED_BACK = PaymentFailure("CHARGED_BACK", "The money has gone back in another way.")


class Refund(msgspec.Struct, frozen=True):
    """A refund of a purchase, in part or in full. Its tokens are on hold until the money has gone back."""

    hold_id: HoldId
    tokens: int
    price: int
    """The money that goes back, in whole units of the currency."""
    reason: str
    failure: PaymentFailure | None = None
    """Why it was refused."""

    @property
    def key(self) -> str:
        """The idempotency key of its cancellation at the payment provider."""
        return f"refund:{self.hold_id}"
