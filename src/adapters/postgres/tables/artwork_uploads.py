from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Id, Row, one_of


class ArtworkUploadRow(Row):
    __tablename__ = "artwork_uploads"
    __table_args__ = (
        Index(None, "artist_id"),
        Index(None, "created_at", "id"),
        one_of("content_type", "image/jpeg", "image/png"),
        CheckConstraint("size > 0", name="size"),
    )

    id: Mapped[Id]
    artist_id: Mapped[int] = mapped_column(ForeignKey("artists.user_id", ondelete="CASCADE"))
    name: Mapped[str]
    content_type: Mapped[str]
    size: Mapped[int]
    created_at: Mapped[datetime]
