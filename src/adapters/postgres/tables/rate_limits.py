from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row


class RateLimitRow(Row):
    __tablename__ = "rate_limits"
    __table_args__ = (
        Index(None, "expires_at"),
        {"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}},
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[int]
    calls: Mapped[int]
    previous: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(server_default=text("now() + '01:00:00'::interval"))
    """When the row no longer counts; constant within a slot. The default is for instances of an earlier version."""
