from dataclasses import dataclass

from core.identifiers import OrderId
from core.ports.clock import Clock
from core.ports.payment_provider import PaymentProvider
from core.ports.transaction import Transaction
from core.purchases.model import PurchaseStatus
from core.purchases.record_payment import RecordPayment
from core.purchases.repository import Purchases


@dataclass(frozen=True, slots=True)
class CheckPurchase:
    """Ask the provider for the payment of a purchase after a hint that it changed. Never captures money."""

    purchases: Purchases
    provider: PaymentProvider
    record: RecordPayment
    transaction: Transaction
    clock: Clock

    async def __call__(self, order_id: OrderId, *, payment_key: str | None = None) -> PurchaseStatus:
        """With a `payment_key` that payment is looked up, else the one the provider has for the order.

        Raises PurchaseNotFound, PaymentMismatch, PaymentsUnavailable.
        """
        async with self.transaction:
            purchase = await self.purchases.of_order(order_id)
        if purchase.status.credited and payment_key != purchase.payment_key:
            return purchase.status  # the payment that paid for it is still checked: it may have been refunded
        if payment_key is None:
            payment = await self.provider.payment_of(order_id)
        else:
            payment = await self.provider.payment(payment_key)
        return await self.record(order_id, payment) if payment else purchase.status
