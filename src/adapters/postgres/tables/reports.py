from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Id, Row, one_of


class ReportRow(Row):
    __tablename__ = "reports"
    __table_args__ = (
        UniqueConstraint("reporter_id", "target_type", "target_id"),
        Index("ix_reports_open", "target_type", "target_id", "id", postgresql_where=text("status = 'open'")),
        Index(None, "owner_id"),
        Index(None, "created_at", "id"),
        Index(None, "status", "created_at", "id"),
        one_of("target_type", "generation", "style", "comment", "user"),
        one_of("reason", "spam", "harassment", "hate", "sexual", "violence", "copyright", "other"),
        one_of("status", "open", "upheld", "dismissed"),
        CheckConstraint("reporter_id <> owner_id", name="not_oneself"),
        CheckConstraint("char_length(text) BETWEEN 1 AND 1000", name="text"),
        CheckConstraint(
            "(status = 'open') = (ended_at IS NULL) AND (ended_by IS NULL OR ended_at IS NOT NULL)", name="ended"
        ),
    )

    id: Mapped[Id]
    reporter_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None once that account is deleted."""
    target_type: Mapped[str]
    target_id: Mapped[int]
    """No foreign key: the report outlives it."""
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str]
    text: Mapped[str | None]
    created_at: Mapped[datetime]
    shown_before: Mapped[bool | None]
    status: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None]
    """No foreign key: it outlives the admin."""
