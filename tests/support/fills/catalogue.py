"""Styles, artists and tags for searches: with words that match all, some, few or none of them."""

from tests.support.fills.fill import Fill

OFTEN = 20
"""A style in so many has each of the common words; one in a thousand each of the rare ones."""

FIRST = 1_000_000
"""The ids of artists and styles start with it."""
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


async def catalogue(fill: Fill, *, styles: int, artists: int, tags: int) -> None:
    for name, words in (("word", WORDS), ("korean", KOREAN)):
        await fill.sql(f"CREATE TEMPORARY TABLE {name} (place bigint, word text) ON COMMIT DROP")
        await fill.rows(
            *(name, "unnest($1::text[]) WITH ORDINALITY x (listed, number)", words),
            place="number - 1",
            word="listed",
        )
    await fill.sql("DROP INDEX ix_style_texts_grams, ix_artist_texts_grams")  # made at once when all rows are there
    await _artists(fill, artists)
    await _styles(fill, styles, artists)
    await fill.sql("CREATE INDEX ix_style_texts_grams ON style_texts USING gin (grams) WITH (fastupdate = off)")
    await fill.sql("CREATE INDEX ix_artist_texts_grams ON artist_texts USING gin (grams) WITH (fastupdate = off)")
    await fill.rows(
        "tags",
        """generate_series(1, $1::int) n
        JOIN word first ON first.place = n % $2 JOIN word second ON second.place = n / 13 % $2""",
        *(tags, len(WORDS)),
        name="first.word || ' ' || second.word || ' ' || n",
        usage_count="n::bigint * 7919 % 5000",
    )
    # What a busy minute leaves to be rolled up.
    await fill.rows("tag_deltas", "tags WHERE id % 100 = 0", name="tags.name", amount="1")


async def _artists(fill: Fill, count: int) -> None:
    """`Amber Velvet 4321`, known as `amber.velvet4321`."""
    await fill.rows(
        "users",
        """generate_series(0, $1::int - 1) n
        JOIN word first ON first.place = n % $2 JOIN word last ON last.place = n * 7 / 10 % $2""",
        *(count, len(WORDS)),
        id=f"{FIRST} + n",
        username="first.word || '.' || last.word || n",
        role="'artist'",
    )
    await fill.rows(
        "artists",
        f"""users JOIN word first ON first.place = (id - {FIRST}) % $2
        JOIN word last ON last.place = (id - {FIRST}) * 7 / 10 % $2 WHERE id BETWEEN {FIRST} AND {FIRST} + $1 - 1""",
        *(count, len(WORDS)),
        user_id="id",
        name_key="lower(first.word || ' ' || last.word) || id",
        artist_name=f"initcap(first.word) || ' ' || initcap(last.word) || ' ' || id - {FIRST}",
    )
    await fill.rows(
        "artist_texts",
        "users JOIN artists ON user_id = id",
        user_id="id",
        username="username",
        artist_name="lower(artist_name)",
        grams=r"search_grams(username || E'\n' || lower(artist_name))",
    )


async def _styles(fill: Fill, count: int, artists: int) -> None:
    await fill.rows(
        "styles",
        """generate_series(0, $1::int - 1) n
        JOIN word first ON first.place = n % $2 JOIN word second ON second.place = n / 13 % $2
        JOIN word third ON third.place = n / 5 % $2 JOIN korean ON korean.place = n / 7 % $3""",
        *(count, len(WORDS), len(KOREAN), artists),
        id=f"{FIRST} + n",
        artist_id=f"{FIRST} + n % $4::int",
        name="concat_ws(' ', initcap(first.word), second.word, CASE WHEN n % 7 = 0 THEN korean.word END, n)",
        tags=f"""ARRAY['style', third.word, CASE WHEN n % {OFTEN} = 0 THEN 'watercolor' ELSE 'digital' END]
            || CASE WHEN n % 1000 = 0 THEN '{{stained glass}}'::text[] ELSE '{{}}' END""",
        show_samples="false",
        usage_count="n % 500",
    )
    await fill.rows("style_versions", "styles", id="id", style_id="id")
    await fill.rows(
        "style_texts",
        r"styles, LATERAL (SELECT E'\n' || lower(name) || E'\n' || array_to_string(tags, E'\n') || E'\n' AS lines) x",
        style_id="id",
        texts="lines",
        grams="search_grams(lines)",
    )
