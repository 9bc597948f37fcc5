from datetime import datetime
from typing import Protocol

from core.identifiers import OrderId, UserId
from core.purchases.model import Purchase


class Purchases(Protocol):
    """Purchases, in the open transaction."""

    async def of_order(self, order_id: OrderId, *, lock: bool = False) -> Purchase:
        """Raises PurchaseNotFound."""
        ...

    async def pending(self, user_id: UserId) -> list[Purchase]:
        """Lock the user's pending purchases and return them, by order id."""
        ...

    async def add(self, purchase: Purchase) -> None: ...

    async def save(self, purchase: Purchase) -> None:
        """Raises PurchaseNotFound, or PaymentMismatch for a payment that has ended another purchase.

        Either may surface at the commit.
        """
        ...

    async def to_check(self, *, now: datetime, limit: int) -> list[OrderId]:
        """Up to `limit` pending purchases with `check_at` due, earliest first."""
        ...

    async def to_refund(self, *, now: datetime, limit: int) -> list[OrderId]:
        """Up to `limit` purchases that are being refunded, with `check_at` due, earliest first."""
        ...
