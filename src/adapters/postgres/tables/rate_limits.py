from datetime import datetime

from sqlalchemy import Index
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
    granted: Mapped[int]
    """Of the calls that the last statement counted, those that were allowed."""
    expires_at: Mapped[datetime]
