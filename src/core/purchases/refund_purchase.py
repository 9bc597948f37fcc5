from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import OrderId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.purchases.errors import NotRefundable, RefundObstacle
from core.purchases.refund import RefundPeriod
from core.purchases.repository import Purchases
from core.purchases.views import PurchaseView, purchase_view
from core.tokens.errors import DebtOutstanding, InsufficientTokens


@dataclass(frozen=True, slots=True)
class RefundPurchase:
    """Refund a purchase as an admin, as far as its tokens are unspent, in part or in full; the buyer sees the reason.

    The tokens are on hold from the commit on; a maintenance pass gives the money back.
    """

    purchases: Purchases
    ledger: TokenLedger
    audit: AuditLog
    transaction: Transaction
    ids: Ids
    clock: Clock
    period: RefundPeriod

    async def __call__(self, operator: Operator, order_id: OrderId, *, tokens: int | None, reason: str) -> PurchaseView:
        """Without `tokens` all that are left. Raises PurchaseNotFound, NotRefundable or ValidationError."""
        reason = parse_reason(reason)
        try:
            async with self.transaction:
                purchase = await self.purchases.of_order(order_id, lock=True)
                now = self.clock.now()
                asked = purchase.ask_refund(
                    await self.ids.hold(), tokens=tokens, reason=reason, period=self.period, at=now
                )
                hold = asked.refund_hold(at=now)
                await self.purchases.save(asked)
                await self.ledger.hold(hold)
                await self.audit.add(
                    AuditEntry(
                        operator,
                        Action.PURCHASE_REFUNDED,
                        "purchase",
                        order_id,
                        now,
                        before={"status": purchase.status.value},
                        after={"status": asked.status.value, "tokens": hold.amount},
                        reason=reason,
                    )
                )
        except (DebtOutstanding, InsufficientTokens) as missing:
            raise NotRefundable(RefundObstacle.SPENT) from missing
        return purchase_view(asked)
