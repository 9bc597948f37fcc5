from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row, Tags


class StyleTextsRow(Row):
    """What a style is found by; apart from the style, of which other columns are written again and again."""

    __tablename__ = "style_texts"
    __table_args__ = (Index(None, "grams", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),)

    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"), primary_key=True)
    texts: Mapped[str]
    """Its name and tags, folded, with a line break before and after each."""
    grams: Mapped[Tags]
    """Their pieces, which the function `search_grams` cuts."""


class ArtistTextsRow(Row):
    __tablename__ = "artist_texts"
    __table_args__ = (Index(None, "grams", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),)

    user_id: Mapped[int] = mapped_column(ForeignKey("artists.user_id", ondelete="CASCADE"), primary_key=True)
    username: Mapped[str]
    artist_name: Mapped[str]
    """Folded."""
    grams: Mapped[Tags]
