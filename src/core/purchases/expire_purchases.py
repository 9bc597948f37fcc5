import logging
from dataclasses import dataclass

from core.errors import DomainError
from core.identifiers import OrderId
from core.ports.clock import Clock
from core.ports.payment_provider import PaymentProvider, PaymentsUnavailable
from core.ports.transaction import Transaction
from core.purchases.record_payment import RecordPayment
from core.purchases.repository import Purchases

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExpirePurchases:
    """Expire purchases that were not paid in time, one batch; those that were paid are credited.

    Safe to run concurrently. Nothing expires while the provider is unavailable.
    """

    purchases: Purchases
    provider: PaymentProvider
    record: RecordPayment
    transaction: Transaction
    clock: Clock

    async def __call__(self, *, limit: int = 20) -> int:
        """Return how many were checked."""
        async with self.transaction:
            order_ids = await self.purchases.to_check(now=self.clock.now(), limit=limit)
        for looked_at, order_id in enumerate(order_ids, start=1):
            try:
                await self._check(order_id)
            except PaymentsUnavailable:
                await self._postpone(order_id)
                return looked_at
            except DomainError:
                _log.exception("purchase cannot be settled order=%s", order_id)
                await self._postpone(order_id)
        return len(order_ids)

    async def _check(self, order_id: OrderId) -> None:
        asked_at = self.clock.now()
        payment = await self.provider.payment_of(order_id)
        if payment is not None:
            await self.record(order_id, payment)
        async with self.transaction:
            purchase = await self.purchases.of_order(order_id, lock=True)
            await self.purchases.save(purchase.expire_if_due(at=asked_at))

    async def _postpone(self, order_id: OrderId) -> None:
        """Move `check_at` forward, so that a failing purchase does not block the others."""
        async with self.transaction:
            purchase = await self.purchases.of_order(order_id, lock=True)
            await self.purchases.save(purchase.check_later(at=self.clock.now()))
