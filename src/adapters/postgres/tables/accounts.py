from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Id, Row, one_of


class UserRow(Row):
    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("provider", "subject"),
        UniqueConstraint("username"),
        one_of("role", "user", "artist", "admin"),
        one_of("standing", "present", "leaving", "deactivated", "suspended"),
        Index("ix_users_leaving", "updated_at", "id", postgresql_where=text("standing = 'leaving'")),
        CheckConstraint("follower_count >= 0", name="follower_count"),
    )

    id: Mapped[Id]
    provider: Mapped[str]
    subject: Mapped[str]
    email: Mapped[str | None]
    username: Mapped[str]
    role: Mapped[str]
    bio: Mapped[str]
    profile_image: Mapped[str | None]
    follower_count: Mapped[Count]
    standing: Mapped[str] = mapped_column(server_default=text("'present'"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ErasedIdentityRow(Row):
    """A keyed hash of an erased user's identity, so that welcome tokens are given only once."""

    __tablename__ = "erased_identities"

    identity: Mapped[bytes] = mapped_column(primary_key=True)


class ArtistRow(Row):
    __tablename__ = "artists"
    __table_args__ = (UniqueConstraint("name_key"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    artist_name: Mapped[str]
    name_key: Mapped[str]
    verified_email: Mapped[str]
    signature_key: Mapped[str]
    created_at: Mapped[datetime]


class SessionRow(Row):
    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
        UniqueConstraint("id"),
        Index(None, "user_id", "created_at", "id"),
        Index(None, "expires_at"),
    )

    id: Mapped[int] = mapped_column(Identity())
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user_agent: Mapped[str] = mapped_column(server_default=text("''"))
