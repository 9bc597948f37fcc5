import logging
from dataclasses import dataclass

from core.accounts.errors import UserNotFound
from core.accounts.repository import Users
from core.identifiers import OrderId, UserId
from core.ports.clock import Clock
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.payment import Payment, PaymentState
from core.purchases.repository import Purchases

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordPayment:
    """Take down what the provider has just said of a purchase's payment; money that was taken is credited, once.

    However often, in whatever order and from however many places at once it is told: the same end.
    """

    users: Users
    purchases: Purchases
    ledger: TokenLedger
    transaction: Transaction
    clock: Clock

    async def __call__(self, order_id: OrderId, payment: Payment) -> PurchaseStatus:
        """Raises PurchaseNotFound, and PaymentMismatch for a payment of another purchase."""
        credited_to_nobody = False
        async with self.transaction:
            before = await self.purchases.of_order(order_id, lock=True)
            after = before.answered(payment, at=self.clock.now())
            if after != before:
                paid = after.status is PurchaseStatus.PAID
                credited_to_nobody = paid and await self._has_left(after.user_id)
                await self.purchases.save(after)
                if paid:
                    await self.ledger.transfer(after.credit())
        if credited_to_nobody:
            _log.error(
                "Payment %s paid for purchase %s of user %s, who has left: nobody can spend the %s tokens.",
                payment.key,
                after.order_id,
                after.user_id,
                after.amount_tokens,
            )
        if after.given_back(payment):
            _log.error(
                "Payment %s was cancelled at the provider after it had paid for purchase %s: %s of %s %s are left, and"
                " all %s tokens.",
                payment.key,
                after.order_id,
                payment.kept,
                after.total_price,
                after.currency_code,
                after.amount_tokens,
            )
        elif payment.state is PaymentState.TAKEN:
            _tell_of_money_for_nothing(before, after, payment)
        return after.status

    async def _has_left(self, user_id: UserId) -> bool:
        try:
            await self.users.of_id(user_id)
        except UserNotFound:
            return True
        return False


def _tell_of_money_for_nothing(before: Purchase, after: Purchase, payment: Payment) -> None:
    """Somebody may have to give it back."""
    if after.payment_key != payment.key:
        _log.error("Purchase %s was paid twice: by %s and %s.", after.order_id, after.payment_key, payment.key)
    elif after.status is PurchaseStatus.FAILED and after != before:
        _log.error(
            "Payment %s took %s %s for purchase %s, which costs %s %s: nothing was credited.",
            payment.key,
            payment.amount,
            payment.currency_code,
            after.order_id,
            after.total_price,
            after.currency_code,
        )
