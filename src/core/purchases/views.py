from datetime import datetime
from typing import Literal, Protocol

import msgspec

from core.identifiers import OrderId, UserId
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.payment import PaymentFailure
from core.purchases.refund import Refund


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


class RefundView(msgspec.Struct, frozen=True):
    status: Literal["pending", "completed", "refused"]
    tokens: int
    price: int
    """The money that goes back, in whole units of the currency."""
    reason: str
    failure: PaymentFailure | None
    """Why the payment provider refused it."""


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
    refund: RefundView | None
    """The last one that was requested."""


def refund_view(purchase: PurchaseStatus, refund: Refund | None) -> RefundView | None:
    """Of a purchase's status and last refund."""
    if refund is None:
        return None
    ended: Literal["completed", "refused"] = "refused" if refund.failure else "completed"
    return RefundView(
        status="pending" if purchase is PurchaseStatus.REFUNDING else ended,
        tokens=refund.tokens,
        price=refund.price,
        reason=refund.reason,
        failure=refund.failure,
    )


def purchase_view(purchase: Purchase) -> PurchaseView:
    return PurchaseView(
        order_id=purchase.order_id,
        status=purchase.status.value,
        package_id=purchase.package_id,
        amount_tokens=purchase.amount_tokens,
        price_per_token=purchase.price_per_token,
        currency_code=purchase.currency_code,
        total_price=purchase.total_price,
        created_at=purchase.created_at,
        expires_at=purchase.expires_at,
        ended_at=purchase.ended_at,
        failure=purchase.failure,
        refunded_price=purchase.refunded_price,
        refunded_tokens=purchase.refunded_tokens,
        refund=refund_view(purchase.status, purchase.refund),
    )


class PurchasesReader(Protocol):
    async def of_owner(self, owner_id: UserId, order_id: OrderId) -> PurchaseView:
        """Raises PurchaseNotFound, also for another user's."""
        ...
