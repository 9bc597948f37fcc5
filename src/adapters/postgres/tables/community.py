from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Id, Row


class LikeRow(Row):
    __tablename__ = "likes"
    __table_args__ = (Index(None, "generation_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    created_at: Mapped[datetime]


class FollowRow(Row):
    __tablename__ = "follows"
    __table_args__ = (
        Index(None, "followed_id"),
        Index(None, "follower_id", "created_at", "followed_id"),
        CheckConstraint("follower_id <> followed_id", name="not_oneself"),
    )

    follower_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    followed_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    created_at: Mapped[datetime]


class CommentRow(Row):
    __tablename__ = "comments"
    __table_args__ = (
        Index("ix_comments_of_image", "generation_id", "created_at", "id", postgresql_where=text("parent_id IS NULL")),
        Index(None, "generation_id"),
        Index(None, "author_id"),
        Index(None, "parent_id", "created_at", "id"),
        CheckConstraint("char_length(content) BETWEEN 1 AND 500", name="content"),
        CheckConstraint("reply_count >= 0 AND (parent_id IS NULL OR reply_count = 0)", name="replies"),
    )

    id: Mapped[Id]
    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("comments.id"))
    content: Mapped[str]
    reply_count: Mapped[Count]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    hidden: Mapped[bool] = mapped_column(server_default=text("false"))
