from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Id, Row

BY_BYTES = Text(collation="C")
"""In the order of its bytes: what begins alike is one range of an index."""


class TagRow(Row):
    """A name that was in use once; how often it is now."""

    __tablename__ = "tags"
    __table_args__ = (
        Index("uq_tags_name", "name", unique=True, postgresql_include=["usage_count"]),
        Index("ix_tags_popular", text("usage_count DESC"), "name"),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(BY_BYTES)
    usage_count: Mapped[Count]
    """Styles that can be used and public images that have it, as far as TagDeltaRow has been folded into it."""


class TagDeltaRow(Row):
    """A change of how often a tag is in use: appended, because updates of a popular tag's row stand in line.

    Only triggers on styles and generations write it.
    """

    __tablename__ = "tag_deltas"
    __table_args__ = (Index(None, "name", postgresql_include=["amount"]),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(BY_BYTES)
    amount: Mapped[int]


class StyleTagRow(Row):
    """How many of a style's artworks, and of its published images' prompts, have a tag, without StyleTagDeltaRow."""

    __tablename__ = "style_tags"
    __table_args__ = (Index("ix_style_tags_popular", "style_id", text("count DESC"), "name"),)

    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(BY_BYTES, primary_key=True)
    count: Mapped[int]


class StyleTagDeltaRow(Row):
    """A change of that count: appended, because updates of a popular style's tags stand in line.

    Only triggers on generations write it.
    """

    __tablename__ = "style_tag_deltas"
    __table_args__ = (Index(None, "style_id", "name", postgresql_include=["amount"]),)

    id: Mapped[Id]
    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(BY_BYTES)
    amount: Mapped[int]
