from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row, one_of


class OutboxRow(Row):
    __tablename__ = "outbox"
    __table_args__ = (
        Index(None, "queue", "due", "sequence"),
        one_of("queue", "model_training", "image_generation"),
    )

    sequence: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    task_id: Mapped[UUID]
    queue: Mapped[str]
    body: Mapped[bytes]
    due: Mapped[datetime]
