from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Id, Json, Row, one_of


class NotificationRow(Row):
    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("recipient_id", "reason"),
        Index(None, "recipient_id", "created_at", "id"),
        Index("ix_notifications_unread", "recipient_id", "created_at", "id", postgresql_where=text("read_at IS NULL")),
        Index("ix_notifications_read", "read_at", "id", postgresql_where=text("read_at IS NOT NULL")),
        Index(None, "actor_id", postgresql_where=text("actor_id IS NOT NULL")),
        one_of(
            "type",
            "follow",
            "like",
            "comment",
            "generation_complete",
            "generation_failed",
            "style_training_complete",
            "style_training_failed",
            "style_withdrawn",
            "report_resolved",
            "content_reviewed",
            "new_sign_in",
            "purchase_refunded",
            "refund_refused",
            "purchase_charged_back",
        ),
        one_of("target_type", "generation", "style", "comment", "user", "session", "purchase"),
        CheckConstraint("(target_id IS NULL) = (target_type = 'purchase')", name="target_id"),
    )

    id: Mapped[Id]
    recipient_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    type: Mapped[str]
    reason: Mapped[str]
    target_type: Mapped[str]
    target_id: Mapped[int | None]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    metadata_: Mapped[Json] = mapped_column("metadata")
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
