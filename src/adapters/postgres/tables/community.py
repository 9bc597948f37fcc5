from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row


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
