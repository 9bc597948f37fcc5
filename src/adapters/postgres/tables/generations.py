from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Id, Json, Row, Small, Tags, one_of

PUBLIC = text("public_key IS NOT NULL")


class GenerationRow(Row):
    """A deferred trigger checks at the commit that the hold of an ended generation is posted or voided accordingly."""

    __tablename__ = "generations"
    __table_args__ = (
        ForeignKeyConstraint(["style_id", "artist_id"], ["styles.id", "styles.artist_id"]),
        Index("uq_generations_result_key", "result_key", unique=True, postgresql_where=text("result_key IS NOT NULL")),
        Index(None, "owner_id", "created_at", "id", postgresql_include=["status"]),
        Index(None, "style_id", "created_at"),
        Index("ix_generations_unended", "created_at", "id", postgresql_where=text("ended_at IS NULL")),
        Index(
            "ix_generations_attempt_failed",
            *("attempt_failed_at", "id"),
            postgresql_where=text("attempt_failed_at IS NOT NULL"),
        ),
        Index("ix_generations_queued", "created_at", "id", postgresql_where=text("status = 'queued'")),
        Index("ix_generations_completed", "ended_at", "created_at", postgresql_where=text("status = 'completed'")),
        Index("ix_generations_public", "created_at", "id", postgresql_where=PUBLIC),
        Index("ix_generations_public_popular", "like_count", "created_at", "id", postgresql_where=PUBLIC),
        Index("ix_generations_public_owner", "owner_id", "created_at", "id", postgresql_where=PUBLIC),
        Index(
            "ix_generations_public_owner_popular",
            *("owner_id", "like_count", "created_at", "id"),
            postgresql_where=PUBLIC,
        ),
        Index("ix_generations_public_style", "style_id", "created_at", "id", postgresql_where=PUBLIC),
        Index("ix_generations_public_tags", "prompt_tags", postgresql_using="gin", postgresql_where=PUBLIC),
        one_of("status", "queued", "processing", "retrying", "completed", "failed", "cancelled"),
        one_of("aspect_ratio", "1:1", "2:2", "1:2"),
        one_of("license_type", "personal", "commercial", "exclusive"),
        CheckConstraint("status <> 'completed' OR result_key IS NOT NULL", name="result"),
        CheckConstraint("public_key IS NULL OR status = 'completed'", name="public"),
        CheckConstraint("(status IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name="ended"),
        CheckConstraint("attempt_failed_at IS NULL OR status = 'retrying'", name="attempt_failed_at"),
        CheckConstraint("(failure_code IS NULL) = (failure_message IS NULL)", name="failure"),
        CheckConstraint(
            "num_nulls(current_step, total_steps, progress_percent, progress_at) IN (0, 4)", name="progress"
        ),
        CheckConstraint(
            "fee_tokens = 0 OR (status = 'completed' AND fee_tokens BETWEEN 1 AND consumed_tokens)", name="fee_tokens"
        ),
        CheckConstraint("NOT hidden OR public_key IS NULL", name="hidden"),
        CheckConstraint("attempt > 0 AND like_count >= 0 AND comment_count >= 0", name="counts"),
        # Frequent progress updates stay on the same page.
        {"postgresql_with": {"fillfactor": 80}},
    )

    id: Mapped[Id]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    style_id: Mapped[int]
    artist_id: Mapped[int]
    consumed_tokens: Mapped[int]
    license_type: Mapped[str]
    license_version: Mapped[Small]
    style_version: Mapped[Small]
    hold_id: Mapped[int]
    """A trigger checks that the hold exists and equals the price."""
    aspect_ratio: Mapped[str]
    seed: Mapped[int | None]
    prompt_tags: Mapped[Tags]
    description: Mapped[str | None]
    task_id: Mapped[UUID]
    status: Mapped[str]
    attempt: Mapped[Small]
    current_step: Mapped[int | None]
    total_steps: Mapped[int | None]
    progress_percent: Mapped[float | None]
    estimated_seconds: Mapped[int | None]
    progress_at: Mapped[datetime | None]
    result_key: Mapped[str | None]
    public_key: Mapped[str | None]
    failure_code: Mapped[str | None]
    failure_message: Mapped[str | None]
    metadata_: Mapped[Json] = mapped_column("metadata")
    like_count: Mapped[Count]
    comment_count: Mapped[Count]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    fee_tokens: Mapped[Count]
    attempt_failed_at: Mapped[datetime | None]
    hidden: Mapped[bool] = mapped_column(server_default=text("false"))
