from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row, one_of


class PurchaseRow(Row):
    """Triggers: a paid purchase is never changed or deleted, and is credited in the transaction that
    marks it as paid.
    """

    __tablename__ = "purchases"
    __table_args__ = (
        UniqueConstraint("payment_key"),
        Index(None, "user_id"),
        Index("ix_purchases_check_at", "check_at", "order_id", postgresql_where=text("status = 'pending'")),
        one_of("status", "pending", "paid", "failed", "expired"),
        CheckConstraint("amount_tokens > 0 AND total_price > 0 AND price_per_token > 0", name="terms"),
        CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(status IN ('paid', 'failed')) = (payment_key IS NOT NULL)", name="payment"),
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
