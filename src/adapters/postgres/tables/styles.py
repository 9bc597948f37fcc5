from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Id, Json, Row, Small, Tags, one_of

OPEN = text("model_path IS NOT NULL AND is_active")
"""Styles listed for all users."""

IN_TRAINING = text("training_status IN ('pending', 'training')")


class StyleRow(Row):
    __tablename__ = "styles"
    __table_args__ = (
        UniqueConstraint("artist_id", "name_key"),
        UniqueConstraint("id", "artist_id"),
        ForeignKeyConstraint(
            *(["version_id", "id"], ["style_versions.id", "style_versions.style_id"]),
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
            name="fk_styles_version_id_id",
        ),
        Index("ix_styles_recent", "created_at", "id", postgresql_where=OPEN),
        Index("ix_styles_popular", "artist_followers", "created_at", "id", postgresql_where=OPEN),
        Index(None, "artist_id", "created_at", "id"),
        Index("ix_styles_expiring", "valid_to", "id", postgresql_where=text("is_active AND valid_to IS NOT NULL")),
        Index("ix_styles_takedown_pending", "id", postgresql_where=text("takedown_pending")),
        Index(None, "tags", postgresql_using="gin", postgresql_where=OPEN),
        one_of("license_type", "personal", "commercial", "exclusive"),
        CheckConstraint("generation_cost_tokens > 0", name="generation_cost_tokens"),
        CheckConstraint("NOT closed_by_admin OR NOT is_active", name="closed_by_admin"),
        CheckConstraint(
            "num_nulls(takedown_at, takedown_reason, takedown_by_admin, takedown_keeps_images, takedown_pending)"
            " IN (0, 5)",
            name="takedown",
        ),
        CheckConstraint("takedown_at IS NULL OR NOT is_active", name="withdrawn"),
        CheckConstraint("usage_count >= 0 AND earned_tokens >= 0", name="counts"),
    )

    id: Mapped[Id]
    artist_id: Mapped[int] = mapped_column(ForeignKey("artists.user_id"))
    name: Mapped[str]
    name_key: Mapped[str]
    """`comparison_key` of the name, written by the service: the database cannot case-fold as Python does."""
    description: Mapped[str]
    generation_cost_tokens: Mapped[int]
    license_type: Mapped[str]
    tags: Mapped[Tags]
    version: Mapped[Small]
    version_id: Mapped[int]
    model_path: Mapped[str | None]
    is_active: Mapped[bool]
    show_samples: Mapped[bool]
    valid_from: Mapped[datetime | None]
    valid_to: Mapped[datetime | None]
    thumbnail_key: Mapped[str | None]
    usage_count: Mapped[Count]
    """Completed images, without StyleUseRow."""
    earned_tokens: Mapped[Count]
    """Tokens earned by those."""
    artist_followers: Mapped[Count]
    """A copy of the artist's `follower_count`, kept by a trigger for ordering by index."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_by_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    takedown_at: Mapped[datetime | None]
    takedown_reason: Mapped[str | None]
    takedown_by_admin: Mapped[bool | None]
    takedown_keeps_images: Mapped[bool | None]
    takedown_pending: Mapped[bool | None]


class StyleVersionRow(Row):
    """A training of a style and its model. The first one has the style's id."""

    __tablename__ = "style_versions"
    __table_args__ = (
        UniqueConstraint("style_id", "number"),
        UniqueConstraint("id", "style_id"),
        Index("ix_style_versions_in_training", "updated_at", "id", postgresql_where=IN_TRAINING),
        Index("uq_style_versions_in_training", "style_id", unique=True, postgresql_where=IN_TRAINING),
        CheckConstraint("number > 0 AND (number = 1) = (id = style_id)", name="number"),
        one_of("training_status", "pending", "training", "completed", "failed"),
        CheckConstraint(
            "num_nonnulls(model_path, completed_at) = CASE training_status WHEN 'completed' THEN 2 ELSE 0 END",
            name="model",
        ),
        CheckConstraint("(failure_code IS NULL) = (failure_message IS NULL)", name="failure"),
        CheckConstraint(
            "num_nulls(current_epoch, total_epochs, progress_percent, progress_at) IN (0, 4)", name="progress"
        ),
        one_of("review", "pending", "approved", "rejected"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"))
    number: Mapped[Small]
    task_id: Mapped[UUID]
    rights_version: Mapped[Small]
    rights_explicit: Mapped[bool]
    rights_affirmed_at: Mapped[datetime]
    training_status: Mapped[str]
    model_path: Mapped[str | None]
    training_metric: Mapped[Json | None]
    current_epoch: Mapped[int | None]
    total_epochs: Mapped[int | None]
    progress_percent: Mapped[float | None]
    estimated_seconds: Mapped[int | None]
    progress_at: Mapped[datetime | None]
    retried_at: Mapped[datetime | None]
    failure_code: Mapped[str | None]
    failure_message: Mapped[str | None]
    failure_details: Mapped[Json | None]
    review: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class StyleUseRow(Row):
    """An image completed with a style: a delta of its counts, because updates of a popular style's row
    would serialize.
    """

    __tablename__ = "style_uses"

    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id"), primary_key=True)
    generation_id: Mapped[int] = mapped_column(primary_key=True)
    tokens: Mapped[int]


class ArtworkRow(Row):
    __tablename__ = "artworks"
    __table_args__ = (
        UniqueConstraint("version_id", "index"),
        one_of("format", "jpeg", "png"),
        CheckConstraint("width > 0 AND height > 0 AND size > 0", name="size"),
        Index(None, "hash_bands", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    id: Mapped[Id]
    version_id: Mapped[int] = mapped_column(ForeignKey("style_versions.id", ondelete="CASCADE"))
    index: Mapped[int]
    key: Mapped[str]
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]
    digest: Mapped[bytes]
    caption: Mapped[str | None]
    tags: Mapped[Tags]
    sample_key: Mapped[str | None]
    perceptual_hash: Mapped[int | None]
    """Its 64 bits as a signed number."""
    hash_bands: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    """The hash in four parts, as made by the function of this name."""
