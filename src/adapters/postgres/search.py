from adapters.postgres.paging import WINDOW, Arguments
from adapters.postgres.pool import Reads, Record
from adapters.postgres.styles_reader import OPEN, PEOPLE, THUMBNAIL, USES, thumbnail_urls
from core.accounts.pictures import picture_urls
from core.derivatives import original
from core.ports.blob_store import BlobStore
from core.search.matching import Match, MatchedBy, best_match, parse_query
from core.search.views import CANDIDATES, Found, FoundArtist, FoundStyle, SearchReader, SearchType, UsedTag
from core.styles.views import StyleArtist
from core.tags import as_prefix
from core.text import comparison_key

GRAM = 3
"""The maximum length of the grams that texts are cut into."""

KINDS = 4
"""Kinds of matches; each is looked up only while better ones leave results to be found."""


LATEST = 300
"""Rows read before the index is used, which is slow for grams that a third of all rows contain."""


def _found(table: str, key: str, matching: str) -> str:
    """The best matches first; a row is found once per kind that it matches.

    `matching` selects `id` and `grams` of matching rows of `texts`.
    """
    latest = f"(SELECT * FROM {table} ORDER BY {key} DESC LIMIT {LATEST})"
    lookups = [
        f"""(
            SELECT id FROM latest WHERE grams @> ${kind}
            UNION ALL
            SELECT id FROM ({matching.format(texts=table)}) indexed
            WHERE grams @> ${kind} AND id NOT IN (SELECT id FROM latest)
            LIMIT {CANDIDATES}
        )"""
        for kind in range(1, KINDS + 1)
    ]
    return f"""(
        WITH latest AS MATERIALIZED ({matching.format(texts=latest)})
        SELECT DISTINCT id FROM ({" UNION ALL ".join(lookups)} LIMIT $6) candidates
    )"""


MATCHING_STYLES = f"""
    SELECT styles.id, grams FROM {{texts}} texts JOIN styles ON styles.id = style_id
    WHERE strpos(texts.texts, $5) > 0 AND {OPEN}
"""
STYLES = f"""
SELECT styles.id, name, {THUMBNAIL}, styles.artist_id, username, artist_name, tags, {USES}
FROM {_found("style_texts", "style_id", MATCHING_STYLES)} found JOIN styles ON styles.id = found.id {PEOPLE}
"""

MATCHING_ARTISTS = """
    SELECT user_id AS id, grams FROM {texts} texts
    WHERE strpos(username, $5) > 0 OR strpos(artist_name, $5) > 0
"""
ARTISTS = f"""
SELECT users.id, username, artist_name, profile_image, follower_count
FROM {_found("artist_texts", "user_id", MATCHING_ARTISTS)} found
JOIN users ON users.id = found.id AND standing = 'present' JOIN artists ON artists.user_id = found.id
"""

LAST = "\x7f"
"""Sorts after every character of a tag."""


def _tags(beginning: str, limit: int, arguments: Arguments) -> str:
    """The most used tags among those without deltas, and those with deltas not rolled up yet, including these.

    NOT IN, because with NOT EXISTS the planner expects no rows and sorts all tags.
    """
    begins = "true"
    if beginning:
        begins = f"name >= {arguments.add(beginning)} AND name < {arguments.add(beginning + LAST)}"
    order = f"ORDER BY usage_count DESC, name LIMIT {limit}"
    whole = "usage_count > 0 AND name NOT IN (SELECT name FROM changed)"
    most_used = f"SELECT name FROM tags WHERE {whole} {order}"
    if beginning:
        most_used = _most_used(begins, whole, order, limit)
    return f"""
    WITH changed AS MATERIALIZED (
        SELECT name, sum(amount)::bigint AS difference FROM tag_deltas WHERE {begins} GROUP BY name
    )
    SELECT id, name, usage_count
    FROM (
        SELECT id, name, usage_count
        FROM ({most_used}) most JOIN tags USING (name)
        UNION ALL
        SELECT id, name, usage_count + difference FROM changed CROSS JOIN LATERAL (
            SELECT id, usage_count FROM tags WHERE tags.name = changed.name LIMIT 1
        ) tag
        WHERE usage_count + difference > 0
    ) used
    {order}
    """


def _most_used(begins: str, whole: str, order: str, limit: int) -> str:
    """Like `matching` in paging.py: for a prefix of thousands of tags, the most used ones are soon found among all most
    used.
    """
    window = f"SELECT name, usage_count FROM tags ORDER BY usage_count DESC, name LIMIT {WINDOW}"
    return f"""
        (SELECT name FROM ({window}) near WHERE {begins} AND {whole} {order})
        UNION ALL
        (
            WITH listed AS MATERIALIZED (SELECT name, usage_count FROM tags WHERE {begins})
            SELECT name FROM listed WHERE {whole} AND name NOT IN (SELECT name FROM ({window}) near) {order}
        )
        LIMIT {limit}
    """


class PostgresSearchReader(SearchReader):
    """The index contains each text's grams of one, two and three characters, marked by their position.

    Each kind of match is an index lookup, and a common gram reads no more than CANDIDATES rows.
    """

    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def search(self, text: str, *, type: SearchType, limit: int) -> Found:
        query = parse_query(text)
        return Found(
            styles=await self._styles(query, limit) if type is not SearchType.ARTISTS else [],
            artists=await self._artists(query, limit) if type is not SearchType.STYLES else [],
        )

    async def tags(self, text: str, *, limit: int) -> list[UsedTag]:
        beginning = as_prefix(text)
        if beginning is None:
            return []
        arguments = Arguments()
        sql = _tags(beginning, limit, arguments)
        return [UsedTag(**row) for row in await self._reads.fetch(sql, *arguments)]

    async def _styles(self, query: str, limit: int) -> list[FoundStyle]:
        found = [
            (best[0], -row["usage_count"], row["id"], best[1], row)
            for row in await self._reads.fetch(STYLES, *asked_with(query, limit))
            if (best := best_match(query, {MatchedBy.NAME: [comparison_key(row["name"])], MatchedBy.TAG: row["tags"]}))
        ]
        return [await self._style(row, matched_by) for *_, matched_by, row in _best(found, limit)]

    async def _style(self, row: Record, matched_by: MatchedBy) -> FoundStyle:
        images = await thumbnail_urls(row["thumbnail"], self._blobs)
        return FoundStyle(
            id=row["id"],
            name=row["name"],
            thumbnail_url=original(images),
            images=images,
            artist=StyleArtist(row["artist_id"], row["username"], row["artist_name"]),
            matched_by=matched_by,
            usage_count=row["usage_count"],
        )

    async def _artists(self, query: str, limit: int) -> list[FoundArtist]:
        found = []
        for row in await self._reads.fetch(ARTISTS, *asked_with(query, limit)):
            names = [comparison_key(row["artist_name"]), row["username"]]
            if best := best_match(query, {MatchedBy.NAME: names}):
                found.append((best[0], -row["follower_count"], row["id"], best[1], row))
        return [self._artist(row, matched_by) for *_, matched_by, row in _best(found, limit)]

    def _artist(self, row: Record, matched_by: MatchedBy) -> FoundArtist:
        images = picture_urls(row["profile_image"], self._blobs)
        return FoundArtist(
            id=row["id"],
            username=row["username"],
            artist_name=row["artist_name"],
            profile_image=original(images),
            images=images,
            follower_count=row["follower_count"],
            matched_by=matched_by,
        )


Candidate = tuple[Match, int, int, MatchedBy, Record]


def _best(found: list[Candidate], limit: int) -> list[Candidate]:
    return sorted(found, key=lambda one: one[:3])[:limit]


def asked_with(query: str, limit: int) -> tuple[object, ...]:
    """The arguments of STYLES and ARTISTS: the grams of each kind of match, the query, and the limit."""
    size = min(GRAM, len(query))
    pieces = sorted({f".{query[at : at + size]}" for at in range(len(query) - size + 1)})
    by_kind = [f"={query}"], [f"^{query[:size]}", *pieces], [f"|{query[:size]}", *pieces], pieces
    return *by_kind, query, max(CANDIDATES, KINDS * limit)
