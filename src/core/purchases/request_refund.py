from dataclasses import dataclass

from core.identifiers import OrderId, UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.purchases.errors import NotRefundable, PurchaseNotFound, RefundObstacle
from core.purchases.refund import RefundPeriod
from core.purchases.repository import Purchases
from core.purchases.views import PurchaseView, purchase_view
from core.tokens.errors import DebtOutstanding, InsufficientTokens

REASON = "Requested by the buyer"


@dataclass(frozen=True, slots=True)
class RequestRefund:
    """Request the refund of a whole purchase, as its buyer, while none of its tokens is spent.

    Its tokens are on hold from the commit on; a maintenance pass gives the money back.
    """

    purchases: Purchases
    ledger: TokenLedger
    transaction: Transaction
    ids: Ids
    clock: Clock
    period: RefundPeriod

    async def __call__(self, buyer: UserId, order_id: OrderId) -> PurchaseView:
        """Raises PurchaseNotFound, also for another user's, or NotRefundable."""
        try:
            async with self.transaction:
                purchase = await self.purchases.of_order(order_id, lock=True)
                if purchase.user_id != buyer:
                    raise PurchaseNotFound
                now = self.clock.now()
                asked = purchase.ask_refund(
                    await self.ids.hold(), tokens=None, reason=REASON, period=self.period, at=now
                )
                await self.purchases.save(asked)
                await self.ledger.hold(asked.refund_hold(at=now))
        except (DebtOutstanding, InsufficientTokens) as missing:
            raise NotRefundable(RefundObstacle.SPENT) from missing
        return purchase_view(asked)
