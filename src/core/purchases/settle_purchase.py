from dataclasses import dataclass

from core.identifiers import OrderId
from core.ports.clock import Clock
from core.ports.payment_provider import PaymentProvider, PaymentsUnavailable
from core.ports.transaction import Transaction
from core.purchases.errors import PaymentMismatch
from core.purchases.model import PurchaseStatus
from core.purchases.record_payment import RecordPayment
from core.purchases.repository import Purchases


@dataclass(frozen=True, slots=True)
class SettlePurchase:
    """Confirm a payment that the buyer has authorized, and credit the tokens.

    Safe to repeat, and for anyone to call: only the provider's answer counts.
    """

    purchases: Purchases
    provider: PaymentProvider
    record: RecordPayment
    transaction: Transaction
    clock: Clock

    async def __call__(self, order_id: OrderId, *, payment_key: str, amount: int) -> PurchaseStatus:
        """Raises PurchaseNotFound, PaymentMismatch, or PaymentsUnavailable; after the latter the purchase is still
        pending.
        """
        async with self.transaction:
            purchase = await self.purchases.of_order(order_id)
        if purchase.status.credited:
            return purchase.status
        if amount != purchase.total_price:
            raise PaymentMismatch
        try:
            if purchase.payable(at=self.clock.now()):
                payment = await self.provider.confirm(order_id, payment_key=payment_key, amount=purchase.total_price)
            else:
                payment = await self.provider.payment(payment_key)
        except PaymentsUnavailable:
            await self._check_soon(order_id)
            raise
        if payment is None:
            raise PaymentMismatch
        return await self.record(order_id, payment)

    async def _check_soon(self, order_id: OrderId) -> None:
        """The payment may have been captured: check soon instead of when the purchase expires."""
        async with self.transaction:
            purchase = await self.purchases.of_order(order_id, lock=True)
            await self.purchases.save(purchase.check_later(at=self.clock.now()))
