from datetime import datetime

from adapters.memory.database import Reads
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import OrderId, UserId
from core.purchases.errors import PaymentMismatch, PurchaseNotFound
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.repository import Purchases
from core.purchases.views import PurchasesReader, PurchaseView, purchase_view


class MemoryPurchases(Purchases):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def of_order(self, order_id: OrderId, *, lock: bool = False) -> Purchase:
        if lock:
            await self._transaction.lock("purchase", order_id)
        purchase = self._transaction.tables.purchases.get(order_id)
        if purchase is None:
            raise PurchaseNotFound
        return purchase

    async def pending(self, user_id: UserId) -> list[Purchase]:
        for purchase in self._pending(user_id):
            await self._transaction.lock("purchase", purchase.order_id)
        return self._pending(user_id)

    def _pending(self, user_id: UserId) -> list[Purchase]:
        purchases = self._transaction.tables.purchases.values()
        return sorted(
            (one for one in purchases if one.user_id == user_id and one.status is PurchaseStatus.PENDING),
            key=lambda purchase: purchase.order_id,
        )

    async def add(self, purchase: Purchase) -> None:
        def operation(tables: Tables) -> None:
            tables.purchases[purchase.order_id] = purchase

        self._transaction.write(operation)

    async def save(self, purchase: Purchase) -> None:
        def operation(tables: Tables) -> None:
            if purchase.order_id not in tables.purchases:
                raise PurchaseNotFound
            if purchase.payment_key is not None:
                known = tables.payments.setdefault(purchase.payment_key, purchase.order_id)
                if known != purchase.order_id:
                    raise PaymentMismatch
            tables.purchases[purchase.order_id] = purchase

        await self._transaction.lock("purchase", purchase.order_id)
        self._transaction.write(operation)

    async def to_check(self, *, now: datetime, limit: int) -> list[OrderId]:
        return self._due(PurchaseStatus.PENDING, now, limit)

    async def to_refund(self, *, now: datetime, limit: int) -> list[OrderId]:
        return self._due(PurchaseStatus.REFUNDING, now, limit)

    def _due(self, status: PurchaseStatus, now: datetime, limit: int) -> list[OrderId]:
        waiting = [
            purchase
            for purchase in self._transaction.tables.purchases.values()
            if purchase.status is status and purchase.check_at <= now
        ]
        waiting.sort(key=lambda purchase: (purchase.check_at, purchase.order_id))
        return [purchase.order_id for purchase in waiting[:limit]]


class MemoryPurchasesReader(PurchasesReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of_owner(self, owner_id: UserId, order_id: OrderId) -> PurchaseView:
        purchase = self._reads.tables.purchases.get(order_id)
        if purchase is None or purchase.user_id != owner_id:
            raise PurchaseNotFound
        return purchase_view(purchase)
