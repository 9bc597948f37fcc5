from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Id, Row, one_of


class AuditLogRow(Row):
    """Append-only: a trigger refuses every change."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "target_type", "target_id"),
        one_of("source", "api", "console", "command"),
    )

    id: Mapped[Id]
    admin_id: Mapped[int | None]
    """No foreign key: it outlives the admin."""
    source: Mapped[str]
    account: Mapped[str | None]
    action: Mapped[str]
    target_type: Mapped[str]
    target_id: Mapped[str | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reason: Mapped[str | None]
    trace_id: Mapped[str | None]
    created_at: Mapped[datetime]
