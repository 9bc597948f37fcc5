"""100,000 styles of 10,000 artists and 100,000 tags, to be searched: with words that all have, some, few or none."""

import asyncpg

STYLES = 100_000
ARTISTS = 10_000
TAGS_IN_USE = 100_000
OFTEN = 20
"""A style in so many has each of the common words; one in a thousand each of the rare ones."""

WORDS = """
    amber ancient arctic autumn azure baroque bold bright broken calm candle carved celestial chalk charcoal
    city cloud coastal copper coral cosmic crimson crystal dark dawn deep desert distant dream dusk dusty echo
    electric ember endless faded fern festival field fire floral foggy forest fragile frost garden gentle ghost
    gilded glass golden gothic grain granite harbour hazy hidden hollow icy indigo island ivory jade jazz lace
    lantern lavender linen liquid lonely lunar marble meadow mellow metal midnight mineral misty modern moonlit
    mosaic moss mountain muted neon night nordic ocean olive opal orchard paper pastel pearl pine pixel plain
    porcelain prairie prism quiet rain raven retro river robot rose royal rust sacred saffron sand scarlet
    shadow silent silk silver sketch smoke snow soft solar space spring steam stone storm summer sunset swift
    tidal timber tropical twilight urban velvet vintage violet vivid wander wild willow winter witch wood woven
    zen
""".split()  # noqa: SIM905 - a line each is longer than the rest
KOREAN = ["수채화", "먹", "고양이", "바다", "노을", "한옥", "달빛", "안개", "꽃잎", "겨울", "골목", "소나무"]

MAKE = f"""
SET session_replication_role = 'replica';

CREATE TEMPORARY TABLE word AS
SELECT place - 1 AS place, word
FROM unnest($words${{{",".join(WORDS)}}}$words$::text[]) WITH ORDINALITY listed (word, place);
CREATE TEMPORARY TABLE korean AS
SELECT place - 1 AS place, word
FROM unnest($words${{{",".join(KOREAN)}}}$words$::text[]) WITH ORDINALITY listed (word, place);

CREATE TEMPORARY TABLE artist AS
SELECT 1000000 + n AS id, initcap(first.word) || ' ' || initcap(last.word) || ' ' || n AS name,
    first.word || '.' || last.word || n AS username
FROM generate_series(0, {ARTISTS - 1}) n
JOIN word first ON first.place = n % {len(WORDS)}
JOIN word last ON last.place = n * 7 / 10 % {len(WORDS)};

INSERT INTO users (id, provider, subject, username, role, bio, created_at, updated_at)
SELECT id, 'benchmark', id, username, 'artist', '', now(), now() FROM artist;
INSERT INTO artists (user_id, artist_name, verified_email, signature_key, created_at)
SELECT id, name, 'artist@example.com', 'signatures/' || id, now() FROM artist;

CREATE TEMPORARY TABLE style AS
SELECT 1000000 + n AS id, 1000000 + n / 10 AS artist_id,
    concat_ws(' ', initcap(first.word), second.word, CASE WHEN n % 7 = 0 THEN korean.word END, n) AS name,
    ARRAY['style', third.word, CASE WHEN n % {OFTEN} = 0 THEN 'watercolor' ELSE 'digital' END]
        || CASE WHEN n % 1000 = 0 THEN '{{stained glass}}'::text[] ELSE '{{}}' END AS tags
FROM generate_series(0, {STYLES - 1}) n
JOIN word first ON first.place = n % {len(WORDS)}
JOIN word second ON second.place = n / 13 % {len(WORDS)}
JOIN word third ON third.place = n / 5 % {len(WORDS)}
JOIN korean ON korean.place = n / 7 % {len(KOREAN)};

INSERT INTO styles (
    id, artist_id, name, name_key, description, generation_cost_tokens, license_type, tags, task_id, training_status,
    is_active, show_samples, model_path, usage_count, created_at, updated_at
)
SELECT id, artist_id, name, lower(name), '', 30, 'personal', tags, gen_random_uuid(), 'completed', true, false,
    'gs://models/' || id, id % 500, now(), now()
FROM style;

DROP INDEX ix_style_texts_grams, ix_artist_texts_grams;
INSERT INTO style_texts (style_id, texts, grams)
SELECT id, texts, search_grams(texts)
FROM style, LATERAL (SELECT E'\\n' || lower(name) || E'\\n' || array_to_string(tags, E'\\n') || E'\\n' AS texts) folded;
INSERT INTO artist_texts (user_id, username, artist_name, grams)
SELECT id, username, lower(name), search_grams(username || E'\\n' || lower(name)) FROM artist;
CREATE INDEX ix_style_texts_grams ON style_texts USING gin (grams) WITH (fastupdate = off);
CREATE INDEX ix_artist_texts_grams ON artist_texts USING gin (grams) WITH (fastupdate = off);

INSERT INTO tags (name, usage_count)
SELECT first.word || ' ' || second.word || ' ' || n, n * 7919 % 5000
FROM generate_series(1, {TAGS_IN_USE}) n
JOIN word first ON first.place = n % {len(WORDS)}
JOIN word second ON second.place = n / 13 % {len(WORDS)};
-- What a busy minute leaves to be folded.
INSERT INTO tag_deltas (name, amount) SELECT name, 1 FROM tags WHERE id % 100 = 0;

RESET session_replication_role;
"""

QUERIES = {
    "one of its kind": "amber 66077",
    "rare": "stained",
    "common": "watercolor",
    "very common": "style",
    "very common, inside": "tyl",
    "one letter": "e",
    "one rare letter": "q",
    "two letters": "in",
    "digits": "99",
    "Korean": "수채화",
    "one Korean syllable": "꽃",
    "mixed case": "CrIMSon TIDal",
    "two words": "golden pearl",
    "inside of words": "idnigh",
    "a tag": "stained glass",
    "an artist": "Velvet Amber",
    "a username": "amber.",
    "no match": "zzyzx",
    "no match, of common pieces": "stylestyle",
    "the longest": "watercolor " * 9,
}
TAGS = {
    "tags: the most used": "",
    "tags: one letter": "s",
    "tags: a word": "silver",
    "tags: two words": "silver m",
    "tags: no match": "zzyzx",
}


async def make(url: str) -> None:
    """Put them into the database."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(MAKE)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
