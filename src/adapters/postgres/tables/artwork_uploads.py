from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Id, Json, Row, Tags, one_of


class ArtworkUploadRow(Row):
    __tablename__ = "artwork_uploads"
    __table_args__ = (
        Index(None, "artist_id"),
        Index("ix_artwork_uploads_unused", "created_at", "id", postgresql_where=text("version_id IS NULL")),
        Index(None, "version_id"),
        one_of("content_type", "image/jpeg", "image/png"),
        CheckConstraint("size > 0", name="size"),
    )

    id: Mapped[Id]
    artist_id: Mapped[int] = mapped_column(ForeignKey("artists.user_id", ondelete="CASCADE"))
    name: Mapped[str]
    content_type: Mapped[str]
    size: Mapped[int]
    created_at: Mapped[datetime]
    version_id: Mapped[int | None] = mapped_column(ForeignKey("style_versions.id", ondelete="SET NULL"))
    index: Mapped[int | None]
    caption: Mapped[str | None]
    tags: Mapped[Tags | None]
    passed: Mapped[Json | None]


class ArtworkCheckRow(Row):
    __tablename__ = "artwork_checks"
    __table_args__ = (CheckConstraint("passed BETWEEN 0 AND files", name="passed"),)

    version_id: Mapped[int] = mapped_column(
        ForeignKey("style_versions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    kept_from: Mapped[int | None]
    files: Mapped[int]
    passed: Mapped[int]
    attempt: Mapped[int]
    claimed_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
