import logging
from dataclasses import dataclass

from core.errors import DomainError
from core.identifiers import OrderId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.payment_provider import PaymentProvider, PaymentsUnavailable
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.purchases.notification import refund_notification
from core.purchases.payment import PaymentFailure
from core.purchases.record_payment import RecordPayment
from core.purchases.refund import Refund
from core.purchases.repository import Purchases

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CarryOutRefunds:
    """Have the payment provider give the money of refunds back, one batch, and take the tokens; if it refuses, the
    tokens are available again. The buyer is notified.

    The payment is looked up first: money that has gone back already, because an answer was lost or somebody cancelled
    the payment at the provider, does not go back twice. While the provider is unavailable the tokens stay on hold. Safe
    to run concurrently.
    """

    purchases: Purchases
    provider: PaymentProvider
    record: RecordPayment
    ledger: TokenLedger
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, *, limit: int = 20) -> int:
        """Return how many were worked on."""
        async with self.transaction:
            order_ids = await self.purchases.to_refund(now=self.clock.now(), limit=limit)
        for worked_on, order_id in enumerate(order_ids, start=1):
            try:
                await self._carry_out(order_id)
            except PaymentsUnavailable:
                return worked_on
            except DomainError:
                _log.exception("purchase cannot be refunded order=%s", order_id)
        return len(order_ids)

    async def _carry_out(self, order_id: OrderId) -> None:
        async with self.transaction:
            purchase = await self.purchases.of_order(order_id, lock=True)
            refund, key = purchase.open_refund, purchase.payment_key
            if refund is None or key is None:
                return
            await self.purchases.save(purchase.check_later(at=self.clock.now()))
        if await self._went_back(order_id, refund, key):
            return
        answer = await self.provider.cancel(key, amount=refund.price, reason=refund.reason, idempotency_key=refund.key)
        if not isinstance(answer, PaymentFailure):
            await self.record(order_id, answer)
        elif not await self._went_back(order_id, refund, key):
            await self._refuse(order_id, refund, answer)

    async def _went_back(self, order_id: OrderId, refund: Refund, payment_key: str) -> bool:
        """Look the payment up, and record it; whether the refund has ended."""
        payment = await self.provider.payment(payment_key)
        if payment is None:
            _log.error("payment is unknown to the provider order=%s payment=%s", order_id, payment_key)
            raise PaymentsUnavailable
        await self.record(order_id, payment)
        async with self.transaction:
            current = (await self.purchases.of_order(order_id)).open_refund
        return current is None or current.hold_id != refund.hold_id

    async def _refuse(self, order_id: OrderId, refund: Refund, failure: PaymentFailure) -> None:
        async with self.transaction:
            before = await self.purchases.of_order(order_id, lock=True)
            after = before.refuse_refund(refund.hold_id, failure)
            if after == before:
                return
            await self.purchases.save(after)
            now = self.clock.now()
            await self.ledger.void(refund.hold_id, at=now)
            await self.notifier.notify(refund_notification(await self.ids.notification(), after, at=now))
        _log.warning("refund refused order=%s code=%s message=%s", order_id, failure.code, failure.message)
