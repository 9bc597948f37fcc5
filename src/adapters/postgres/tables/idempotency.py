from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Json, Row, Small


class IdempotencyKeyRow(Row):
    """The answer is null only within the call's own transaction."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[Small | None]
    headers: Mapped[Json | None]
    body: Mapped[bytes | None]
    created_at: Mapped[datetime]
