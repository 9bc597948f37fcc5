from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped

from adapters.postgres.tables.base import Id, Row, one_of


class WithdrawalRow(Row):
    """A deferred trigger checks at the commit that its hold is open, posted or voided according to its status."""

    __tablename__ = "withdrawals"
    __table_args__ = (
        UniqueConstraint("hold_id"),
        Index(None, "artist_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "status", "created_at", "id"),
        one_of("status", "pending", "settled", "rejected"),
        Index("uq_withdrawals_pending", "artist_id", unique=True, postgresql_where=text("status = 'pending'")),
        CheckConstraint("earned_until <= created_at", name="earned"),
        CheckConstraint("ended_by <> artist_id", name="ended_by"),
        CheckConstraint("num_nulls(ended_at, ended_by) = CASE status WHEN 'pending' THEN 2 ELSE 0 END", name="ended"),
        CheckConstraint("(status = 'rejected') = (reason IS NOT NULL)", name="reason"),
    )

    id: Mapped[Id]
    artist_id: Mapped[int]
    """No foreign key: it outlives the artist."""
    amount: Mapped[int]
    hold_id: Mapped[int]
    created_at: Mapped[datetime]
    earned_until: Mapped[datetime]
    status: Mapped[str]
    reason: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None]
