from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Row, one_of


class PurchaseRow(Row):
    """Triggers: of a paid purchase nothing changes but what was refunded, and it is never deleted; it is credited in
    the transaction that marks it as paid, and its tokens are taken back in the one that marks them as refunded. They
    are on hold while it is being refunded.
    """

    __tablename__ = "purchases"
    __table_args__ = (
        UniqueConstraint("payment_key"),
        UniqueConstraint("refund_hold_id"),
        Index(None, "user_id"),
        Index(
            "ix_purchases_check_at", "check_at", "order_id", postgresql_where=text("status IN ('pending', 'refunding')")
        ),
        one_of("status", "pending", "paid", "failed", "expired", "refunding", "refunded"),
        CheckConstraint(
            "amount_tokens > 0 AND price_per_token > 0 AND total_price = amount_tokens * price_per_token", name="terms"
        ),
        CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name="ended"),
        CheckConstraint(
            "(status IN ('paid', 'failed', 'refunding', 'refunded')) = (payment_key IS NOT NULL)", name="payment"
        ),
        CheckConstraint(
            "CASE refunded_price WHEN 0 THEN refunded_tokens = 0 AND status <> 'refunded'"
            " ELSE refunded_price BETWEEN 1 AND total_price"
            " AND refunded_tokens = ceil(amount_tokens * refunded_price::numeric / total_price)"
            " AND CASE refunded_price WHEN total_price THEN status = 'refunded'"
            " ELSE status IN ('paid', 'refunding') END END",
            name="refunded",
        ),
        CheckConstraint(
            "CASE WHEN refund_hold_id IS NULL THEN status <> 'refunding'"
            " AND num_nonnulls(refund_tokens, refund_price, refund_reason, refund_failure_code, refund_failure_message)"
            " = 0 ELSE status IN ('paid', 'refunding', 'refunded') AND refund_reason IS NOT NULL"
            " AND (refund_tokens > 0 AND refund_price > 0) IS TRUE"
            " AND num_nulls(refund_failure_code, refund_failure_message) <> 1"
            " AND (status <> 'refunding'"
            " OR refund_failure_code IS NULL AND refunded_price + refund_price <= total_price) END",
            name="refund",
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
    refund_hold_id: Mapped[int | None]
    """Of the last refund that was requested, as the columns that follow."""
    refund_tokens: Mapped[int | None]
    refund_price: Mapped[int | None]
    refund_reason: Mapped[str | None]
    refund_failure_code: Mapped[str | None]
    refund_failure_message: Mapped[str | None]
