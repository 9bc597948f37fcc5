from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row


class BlobWalkRow(Row):
    """The state of the walk for orphaned objects: one row."""

    __tablename__ = "blob_walks"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    begun_at: Mapped[datetime]
    after: Mapped[str]
    ended: Mapped[bool]
