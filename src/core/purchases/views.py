from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import OrderId, UserId
from core.purchases.payment import PaymentFailure


class StartedPurchase(msgspec.Struct, frozen=True):
    order_id: OrderId
    payment_url: str
    """The provider's payment page."""
    package_id: str
    amount_tokens: int
    price_per_token: int
    currency_code: str
    total_price: int
    expires_at: datetime


class PurchaseView(msgspec.Struct, frozen=True):
    order_id: OrderId
    status: str
    package_id: str
    amount_tokens: int
    price_per_token: int
    currency_code: str
    total_price: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    failure: PaymentFailure | None
    """Only for failed purchases."""
    refunded_price: int
    """How much of the money has gone back."""
    refunded_tokens: int
    """How many of the tokens were taken back for it, or are owed."""


class PurchasesReader(Protocol):
    async def of_owner(self, owner_id: UserId, order_id: OrderId) -> PurchaseView:
        """Raises PurchaseNotFound, also for another user's."""
        ...
