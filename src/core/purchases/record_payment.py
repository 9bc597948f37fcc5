import logging
from dataclasses import dataclass
from datetime import datetime

from core.accounts.errors import UserNotFound
from core.accounts.repository import Users
from core.identifiers import OrderId, UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.notification import charge_back_notification, refund_notification
from core.purchases.payment import Payment, PaymentState
from core.purchases.repository import Purchases

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordPayment:
    """Record the provider's latest answer on a payment: a captured payment is credited, and what was cancelled later
    ends the refund that asked for it or is taken back, and the buyer is notified; each once.

    Idempotent and independent of the order of reports; safe to run concurrently.
    """

    users: Users
    purchases: Purchases
    ledger: TokenLedger
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, order_id: OrderId, payment: Payment) -> PurchaseStatus:
        """Raises PurchaseNotFound, and PaymentMismatch for a payment of another purchase."""
        account_deleted = refunded = False
        async with self.transaction:
            before = await self.purchases.of_order(order_id, lock=True)
            now = self.clock.now()
            after = before.apply(payment, at=now)
            if after != before and before.status.credited:
                await self.purchases.save(after)
                refunded = await self._take_back(before, after, at=now)
            elif after != before:
                paid = after.status is PurchaseStatus.PAID
                account_deleted = paid and await self._is_deleted(after.user_id)
                await self.purchases.save(after)
                if paid:
                    await self.ledger.transfer(after.credit())
        if account_deleted:
            _log.error(
                "payment of a deleted account: tokens cannot be spent payment=%s order=%s user=%s tokens=%s",
                payment.key,
                after.order_id,
                after.user_id,
                after.amount_tokens,
            )
        if after.refunded_price > before.refunded_price:
            _log.log(
                logging.INFO if refunded else logging.WARNING,
                "payment cancelled after capture payment=%s order=%s user=%s left=%s of=%s currency=%s tokens_taken=%s",
                payment.key,
                after.order_id,
                after.user_id,
                payment.kept,
                after.total_price,
                after.currency_code,
                after.refunded_tokens - before.refunded_tokens,
            )
        elif payment.state is PaymentState.CAPTURED:
            _log_uncredited(before, after, payment)
        return after.status

    async def _take_back(self, before: Purchase, after: Purchase, *, at: datetime) -> bool:
        """The tokens whose money has gone back; whether that was for a refund."""
        refunded = False
        if (refund := before.open_refund) and after.open_refund is None:
            refunded = after.refund == refund
            end = self.ledger.post if refunded else self.ledger.void
            await end(refund.hold_id, at=at)
            await self.notifier.notify(refund_notification(await self.ids.notification(), after, at=at))
        if taken_back := after.charge_back(before, at=at):
            await self.ledger.transfer(taken_back)
            await self.notifier.notify(charge_back_notification(await self.ids.notification(), after, taken_back))
        return refunded

    async def _is_deleted(self, user_id: UserId) -> bool:
        try:
            await self.users.of_id(user_id)
        except UserNotFound:
            return True
        return False


def _log_uncredited(before: Purchase, after: Purchase, payment: Payment) -> None:
    """Log payments that may have to be refunded by hand."""
    if after.payment_key != payment.key:
        _log.error(
            "purchase paid twice order=%s payment=%s second_payment=%s", after.order_id, after.payment_key, payment.key
        )
    elif after.status is PurchaseStatus.FAILED and after != before:
        _log.error(
            "payment amount differs, nothing credited payment=%s paid=%s %s order=%s price=%s %s",
            payment.key,
            payment.amount,
            payment.currency_code,
            after.order_id,
            after.total_price,
            after.currency_code,
        )
