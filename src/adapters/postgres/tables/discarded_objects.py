from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row


class DiscardedObjectRow(Row):
    __tablename__ = "unwanted_blobs"

    place: Mapped[str] = mapped_column(primary_key=True)
