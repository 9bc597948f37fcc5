from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Row, Tags


class StyleTextsRow(Row):
    """The searchable texts of a style; separate from `styles`, whose other columns are updated often."""

    __tablename__ = "style_texts"
    __table_args__ = (Index(None, "grams", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),)

    style_id: Mapped[int] = mapped_column(ForeignKey("styles.id", ondelete="CASCADE"), primary_key=True)
    texts: Mapped[str]
    """Comparison keys of its name and tags, with a line break before and after each."""
    grams: Mapped[Tags]
    """Their grams, as made by the function `search_grams`."""


class ArtistTextsRow(Row):
    __tablename__ = "artist_texts"
    __table_args__ = (Index(None, "grams", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),)

    user_id: Mapped[int] = mapped_column(ForeignKey("artists.user_id", ondelete="CASCADE"), primary_key=True)
    username: Mapped[str]
    artist_name: Mapped[str]
    """A comparison key."""
    grams: Mapped[Tags]
