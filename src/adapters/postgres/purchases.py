from datetime import datetime
from typing import Any

import msgspec

from adapters.postgres.pool import Reads, Record
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Row, Write, assignments, insert
from core.identifiers import OrderId, UserId
from core.purchases.errors import PurchaseNotFound
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.payment import PaymentFailure
from core.purchases.refund import Refund
from core.purchases.repository import Purchases
from core.purchases.views import PurchasesReader, PurchaseView, refund_view

PURCHASES = """
SELECT order_id, user_id, package_id, amount_tokens, total_price, price_per_token, currency_code, created_at,
    expires_at, check_at, status, payment_key, failure_code, failure_message, ended_at, refunded_price, refunded_tokens,
    refund_hold_id, refund_tokens, refund_price, refund_reason, refund_failure_code, refund_failure_message
FROM purchases
"""
PURCHASE = f"{PURCHASES} WHERE order_id = $1"
PENDING = f"{PURCHASES} WHERE user_id = $1 AND status = 'pending' ORDER BY order_id FOR NO KEY UPDATE"

CHANGING = (
    *("status", "expires_at", "check_at", "payment_key", "failure_code", "failure_message", "ended_at"),
    *("refunded_price", "refunded_tokens", "refund_hold_id", "refund_tokens", "refund_price", "refund_reason"),
    *("refund_failure_code", "refund_failure_message"),
)
SAVE = Write(
    target="purchases",
    columns="purchases",
    ctes=f"""
        saved_purchase AS (
            UPDATE purchases SET {assignments(CHANGING, "input")}
            FROM input_purchases input WHERE purchases.order_id = input.order_id
            RETURNING purchases.order_id
        )""",
    finds="saved_purchase",
    rule="purchase_found",
)

TO_CHECK = """
SELECT order_id FROM purchases WHERE status = $1 AND status IN ('pending', 'refunding') AND check_at <= $2
ORDER BY check_at, order_id LIMIT $3
"""

VIEWS = """
SELECT order_id, status, package_id, amount_tokens, price_per_token, currency_code, total_price, created_at,
    expires_at, ended_at, failure_code, failure_message, refunded_price, refunded_tokens, refund_hold_id,
    refund_tokens, refund_price, refund_reason, refund_failure_code, refund_failure_message
FROM purchases
"""
VIEW = f"{VIEWS} WHERE order_id = $1 AND user_id = $2"


class PostgresPurchases(Purchases):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_order(self, order_id: OrderId, *, lock: bool = False) -> Purchase:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(f"{PURCHASE} {locking}", order_id, lock=lock)
        if row is None:
            raise PurchaseNotFound
        return _purchase(row)

    async def pending(self, user_id: UserId) -> list[Purchase]:
        return [_purchase(row) for row in await self._transaction.fetch(PENDING, user_id, lock=True)]

    async def add(self, purchase: Purchase) -> None:
        row = _row(purchase)
        await self._transaction.write(insert("purchases", tuple(row)), row)

    async def save(self, purchase: Purchase) -> None:
        await self._transaction.write(SAVE, _row(purchase))

    async def to_check(self, *, now: datetime, limit: int) -> list[OrderId]:
        return await self._due(PurchaseStatus.PENDING, now, limit)

    async def to_refund(self, *, now: datetime, limit: int) -> list[OrderId]:
        return await self._due(PurchaseStatus.REFUNDING, now, limit)

    async def _due(self, status: PurchaseStatus, now: datetime, limit: int) -> list[OrderId]:
        rows = await self._transaction.fetch(TO_CHECK, status.value, now, limit)
        return [row["order_id"] for row in rows]


class PostgresPurchasesReader(PurchasesReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of_owner(self, owner_id: UserId, order_id: OrderId) -> PurchaseView:
        row = await self._reads.fetchrow(VIEW, order_id, owner_id)
        if row is None:
            raise PurchaseNotFound
        return purchase_view(row)


def purchase_view(row: Record) -> PurchaseView:
    columns = _with_values(row)
    return PurchaseView(**columns | {"refund": refund_view(PurchaseStatus(row["status"]), columns["refund"])})


def _purchase(row: Record) -> Purchase:
    return Purchase(**_with_values(row) | {"status": PurchaseStatus(row["status"])})


def _row(purchase: Purchase) -> Row:
    row = msgspec.structs.asdict(purchase)
    failure: PaymentFailure | None = row.pop("failure")
    refund: Refund | None = row.pop("refund")
    return {
        **row,
        "failure_code": failure.code if failure else None,
        "failure_message": failure.message if failure else None,
        "refund_hold_id": refund.hold_id if refund else None,
        "refund_tokens": refund.tokens if refund else None,
        "refund_price": refund.price if refund else None,
        "refund_reason": refund.reason if refund else None,
        "refund_failure_code": refund.failure.code if refund and refund.failure else None,
        "refund_failure_message": refund.failure.message if refund and refund.failure else None,
    }


def _with_values(row: Record) -> dict[str, Any]:
    """The row's columns, with those of a failure and of the refund as one value each."""
    columns = dict(row)
    failure = _failure(columns.pop("failure_code"), columns.pop("failure_message"))
    refused = _failure(columns.pop("refund_failure_code"), columns.pop("refund_failure_message"))
    hold_id = columns.pop("refund_hold_id")
    tokens, price, reason = (columns.pop(f"refund_{name}") for name in ("tokens", "price", "reason"))
    refund = Refund(hold_id, tokens, price, reason, refused) if hold_id else None
    return columns | {"failure": failure, "refund": refund}


def _failure(code: str | None, message: str | None) -> PaymentFailure | None:
    return PaymentFailure(code, message or "") if code else None
