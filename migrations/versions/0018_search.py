"""What styles and artists are called, folded and cut into pieces for an index: there is no pg_trgm everywhere."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("""
        CREATE FUNCTION search_grams(texts text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
            SELECT array_agg(DISTINCT gram COLLATE "C")
            FROM string_to_table(btrim(texts, E'\\n'), E'\\n') entry, LATERAL (
                SELECT '=' || entry
                UNION ALL SELECT kind || substr(entry, at, size)
                FROM generate_series(1, length(entry)) at, generate_series(1, 3) size,
                    LATERAL unnest(ARRAY[
                        '.',
                        CASE WHEN at = 1 THEN '^' END,
                        CASE WHEN strpos(E' -_.,:;/()&+\\'"', substr(entry, at - 1, 1)) > 0 AND at > 1 THEN '|' END
                    ]) kind
                WHERE at + size - 1 <= length(entry) AND kind IS NOT NULL
            ) grams (gram)
        $$
    """)
    op.execute("""
        CREATE TABLE style_texts (
            style_id bigint NOT NULL,
            texts text NOT NULL,
            grams text[] NOT NULL,
            CONSTRAINT pk_style_texts PRIMARY KEY (style_id),
            CONSTRAINT fk_style_texts_style_id FOREIGN KEY (style_id) REFERENCES styles (id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE TABLE artist_texts (
            user_id bigint NOT NULL,
            username text NOT NULL,
            artist_name text NOT NULL,
            grams text[] NOT NULL,
            CONSTRAINT pk_artist_texts PRIMARY KEY (user_id),
            CONSTRAINT fk_artist_texts_user_id FOREIGN KEY (user_id) REFERENCES artists (user_id) ON DELETE CASCADE
        )
    """)
    _fill()
    for table in ("style_texts", "artist_texts"):
        op.execute(f"CREATE INDEX ix_{table}_grams ON {table} USING gin (grams) WITH (fastupdate = off)")


def downgrade() -> None:
    op.execute("DROP TABLE artist_texts")
    op.execute("DROP TABLE style_texts")
    op.execute("DROP FUNCTION search_grams")


def _fill() -> None:
    """The database cannot fold every script; here it is done as on the day of this migration."""
    database = op.get_bind()
    insert = sa.text("INSERT INTO style_texts (style_id, texts, grams) VALUES (:id, :texts, search_grams(:texts))")
    for style in database.execute(sa.text("SELECT id, name, tags FROM styles")).all():
        texts = "\n".join(["", _folded(style.name), *style.tags, ""])
        database.execute(insert, {"id": style.id, "texts": texts})
    insert = sa.text(
        "INSERT INTO artist_texts (user_id, username, artist_name, grams)"
        " VALUES (:id, :username, :name, search_grams(:username || E'\\n' || :name))"
    )
    people = "SELECT user_id AS id, username, artist_name FROM artists JOIN users ON users.id = user_id"
    for artist in database.execute(sa.text(people)).all():
        names = {"id": artist.id, "username": artist.username, "name": _folded(artist.artist_name)}
        database.execute(insert, names)


def _folded(text: str) -> str:
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(composed.split())
