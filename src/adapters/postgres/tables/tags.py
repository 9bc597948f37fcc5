from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Id, Row

BY_BYTES = Text(collation="C")
"""Byte order, so that a prefix is one index range."""


class TagRow(Row):
    """A tag that was ever in use, and its current count."""

    __tablename__ = "tags"
    __table_args__ = (
        Index("uq_tags_name", "name", unique=True, postgresql_include=["usage_count"]),
        Index("ix_tags_popular", text("usage_count DESC"), "name"),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(BY_BYTES)
    usage_count: Mapped[Count]
    """Usable styles and public images that have it, without TagDeltaRow."""


class TagDeltaRow(Row):
    """A delta of a tag's count, because updates of a popular tag's row would serialize.

    Written only by triggers on styles and generations.
    """

    __tablename__ = "tag_deltas"
    __table_args__ = (Index(None, "name", postgresql_include=["amount"]),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(BY_BYTES)
    amount: Mapped[int]


class StyleTagRow(Row):
    """How many of a style's artworks and published images' prompts have a tag, without StyleTagDeltaRow."""

    __tablename__ = "style_tags"
    __table_args__ = (Index("ix_style_tags_popular", "style_id", text("count DESC"), "name"),)

    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(BY_BYTES, primary_key=True)
    count: Mapped[int]


class StyleTagDeltaRow(Row):
    """A delta of that count, because updates of a popular style's tags would serialize.

    Written only by triggers on generations.
    """

    __tablename__ = "style_tag_deltas"
    __table_args__ = (Index(None, "style_id", "name", postgresql_include=["amount"]),)

    id: Mapped[Id]
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(BY_BYTES)
    amount: Mapped[int]
