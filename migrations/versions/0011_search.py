"""Names of styles and artists, normalized and cut into pieces for an index: not every server has pg_trgm."""

from alembic import op

revision = "0011"
down_revision = "0010"

COMMENTS = {
    "FUNCTION search_grams(text)": """
        Pieces of one to three characters of each line: with `^` in front at the beginning of the line, with `|` at the
        beginning of a word, with `.` anywhere; and `=` in front of the whole line.""",
    "TABLE style_texts": """
        The searchable texts of a style; separate from `styles`, whose other columns are updated often.""",
    "COLUMN style_texts.texts": "Its name and tags, normalized, with a line break before and after each.",
    "COLUMN style_texts.grams": "Their pieces, cut by search_grams.",
    "INDEX ix_style_texts_grams": "Styles by pieces of their names and tags.",
    "TABLE artist_texts": "The searchable names of an artist.",
    "COLUMN artist_texts.artist_name": "Normalized.",
    "COLUMN artist_texts.grams": "The pieces of both names, cut by search_grams.",
    "INDEX ix_artist_texts_grams": "Artists by pieces of their names.",
}


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
    for table in ("style_texts", "artist_texts"):
        op.execute(f"CREATE INDEX ix_{table}_grams ON {table} USING gin (grams) WITH (fastupdate = off)")
    for subject, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {subject} IS $comment${' '.join(comment.split())}$comment$")


def downgrade() -> None:
    op.execute("DROP TABLE artist_texts")
    op.execute("DROP TABLE style_texts")
    op.execute("DROP FUNCTION search_grams")
