from adapters.postgres.accounts import picture_url
from adapters.postgres.pool import Pool, Record
from adapters.postgres.styles import OPEN, PEOPLE, THUMBNAIL, USES, thumbnail_url
from core.ports.blob_store import BlobStore
from core.search.matching import Match, MatchedBy, best_match, folded, wanted
from core.search.views import CANDIDATES, Found, FoundArtist, FoundStyle, SearchReader, SearchType
from core.styles.views import StyleArtist

GRAM = 3
"""Characters of the longest pieces that texts are cut into."""

KINDS = 4
"""Of matches: each is looked up only as far as the better ones leave something to be found."""


def _found(lookup: str) -> str:
    """The best matches first; one is found once as what it is, and again as each lesser kind."""
    lookups = [f"({lookup.format(grams=f'${kind}')} LIMIT {CANDIDATES})" for kind in range(1, KINDS + 1)]
    return f"SELECT DISTINCT id FROM ({' UNION ALL '.join(lookups)} LIMIT $6) candidates"


STYLE_LOOKUP = f"""
    SELECT styles.id FROM style_texts JOIN styles ON styles.id = style_id
    WHERE grams @> {{grams}} AND strpos(texts, $5) > 0 AND {OPEN}
"""
STYLES = f"""
SELECT styles.id, name, {THUMBNAIL}, styles.artist_id, username, artist_name, tags, {USES}
FROM ({_found(STYLE_LOOKUP)}) found JOIN styles ON styles.id = found.id {PEOPLE}
"""

ARTIST_LOOKUP = """
    SELECT user_id AS id FROM artist_texts
    WHERE grams @> {grams} AND (strpos(username, $5) > 0 OR strpos(artist_name, $5) > 0)
"""
ARTISTS = f"""
SELECT users.id, username, artist_name, profile_image, follower_count
FROM ({_found(ARTIST_LOOKUP)}) found JOIN users ON users.id = found.id JOIN artists ON artists.user_id = found.id
"""


class PostgresSearchReader(SearchReader):
    """The index holds every text's pieces of one, two and three characters, marked by where they stand.

    So each kind of match is a look-up of its own, and a common piece costs no more than CANDIDATES rows.
    """

    def __init__(self, pool: Pool, blobs: BlobStore) -> None:
        self._pool = pool
        self._blobs = blobs

    async def search(self, text: str, *, type: SearchType, limit: int) -> Found:
        query = wanted(text)
        return Found(
            styles=await self._styles(query, limit) if type is not SearchType.ARTISTS else [],
            artists=await self._artists(query, limit) if type is not SearchType.STYLES else [],
        )

    async def _styles(self, query: str, limit: int) -> list[FoundStyle]:
        found = [
            (best[0], -row["usage_count"], row["id"], best[1], row)
            for row in await self._pool.fetch(STYLES, *asked_with(query, limit))
            if (best := best_match(query, {MatchedBy.NAME: [folded(row["name"])], MatchedBy.TAG: row["tags"]}))
        ]
        return [
            FoundStyle(
                id=row["id"],
                name=row["name"],
                thumbnail_url=await thumbnail_url(row["thumbnail"], self._blobs),
                artist=StyleArtist(row["artist_id"], row["username"], row["artist_name"]),
                matched_by=matched_by,
                usage_count=row["usage_count"],
            )
            for *_, matched_by, row in _best(found, limit)
        ]

    async def _artists(self, query: str, limit: int) -> list[FoundArtist]:
        found = []
        for row in await self._pool.fetch(ARTISTS, *asked_with(query, limit)):
            texts = {MatchedBy.ARTIST_NAME: [folded(row["artist_name"])], MatchedBy.USERNAME: [row["username"]]}
            if best := best_match(query, texts):
                found.append((best[0], -row["follower_count"], row["id"], best[1], row))
        return [
            FoundArtist(
                id=row["id"],
                username=row["username"],
                artist_name=row["artist_name"],
                profile_image=picture_url(row["profile_image"], self._blobs),
                follower_count=row["follower_count"],
                matched_by=matched_by,
            )
            for *_, matched_by, row in _best(found, limit)
        ]


Candidate = tuple[Match, int, int, MatchedBy, Record]


def _best(found: list[Candidate], limit: int) -> list[Candidate]:
    return sorted(found, key=lambda one: one[:3])[:limit]


def asked_with(query: str, limit: int) -> tuple[object, ...]:
    """Arguments of STYLES and ARTISTS: the pieces of each kind of match, the query, and how many to find."""
    size = min(GRAM, len(query))
    pieces = sorted({f".{query[at : at + size]}" for at in range(len(query) - size + 1)})
    by_kind = [f"={query}"], [f"^{query[:size]}", *pieces], [f"|{query[:size]}", *pieces], pieces
    return *by_kind, query, max(CANDIDATES, KINDS * limit)
