from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Row, one_of


class PurchaseRow(Row):
    """Triggers: of a paid purchase nothing changes but what was refunded, and it is never deleted; it is credited in
    the transaction that marks it as paid, and its tokens are taken back in the one that marks them as refunded.
    """

    __tablename__ = "purchases"
    __table_args__ = (
        UniqueConstraint("payment_key"),
        Index(None, "user_id"),
        Index("ix_purchases_check_at", "check_at", "order_id", postgresql_where=text("status = 'pending'")),
        one_of("status", "pending", "paid", "failed", "expired", "refunded"),
        CheckConstraint("amount_tokens > 0 AND total_price > 0 AND price_per_token > 0", name="terms"),
        CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(status IN ('paid', 'failed', 'refunded')) = (payment_key IS NOT NULL)", name="payment"),
        CheckConstraint(
            "CASE refunded_price WHEN 0 THEN refunded_tokens = 0 AND status <> 'refunded'"
            " ELSE refunded_price BETWEEN 1 AND total_price"
            " AND refunded_tokens = ceil(amount_tokens * refunded_price::numeric / total_price)"
            " AND status = CASE refunded_price WHEN total_price THEN 'refunded' ELSE 'paid' END END",
            name="refunded",
        ),
        CheckConstraint(
            "num_nulls(failure_code, failure_message) = CASE status WHEN 'failed' THEN 0 ELSE 2 END", name="failure"
        ),
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    """No foreign key: it outlives the user."""
    package_id: Mapped[str]
    amount_tokens: Mapped[int]
    total_price: Mapped[int]
    price_per_token: Mapped[int]
    currency_code: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    check_at: Mapped[datetime]
    status: Mapped[str]
    payment_key: Mapped[str | None]
    failure_code: Mapped[str | None]
    failure_message: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    refunded_price: Mapped[Count]
    refunded_tokens: Mapped[Count]
