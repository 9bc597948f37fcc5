import msgspec

from adapters.postgres.pool import Pool
from core.ports.orphaned_blobs import OrphanedBlobs, Walk


def _owner(folder: str) -> str:
    """The id that follows the folder in a key; NULL for other keys."""
    return f"substring(key FROM '^{folder}/([0-9]{{1,18}})/')::bigint"


UPLOAD = "substring(key FROM '^uploads/[0-9]{1,18}/([0-9]{1,18})$')::bigint"

HAS_OBJECTS = "(training_status <> 'failed' OR EXISTS (SELECT FROM artworks WHERE version_id = style_versions.id))"
"""A version whose artworks were refused has none."""

# A key contains its owner's id, so each owner is looked up by primary key.
AMONG = f"""
SELECT key FROM unnest($1::text[]) WITH ORDINALITY AS input (key, place)
WHERE NOT EXISTS (SELECT FROM style_versions WHERE id = {_owner("training")} AND {HAS_OBJECTS})
    AND NOT EXISTS (SELECT FROM style_versions WHERE id = {_owner("samples")} AND {HAS_OBJECTS})
    AND NOT EXISTS (SELECT FROM artists WHERE user_id = {_owner("signatures")} AND signature_key = key)
    AND NOT EXISTS (SELECT FROM users WHERE id = {_owner("public/profiles")} AND profile_image = key)
    AND NOT EXISTS (SELECT FROM styles WHERE id = {_owner("public/styles")} AND thumbnail_key = key)
    AND NOT EXISTS (SELECT FROM artwork_uploads WHERE artist_id = {_owner("uploads")} AND id = {UPLOAD})
    AND NOT EXISTS (SELECT FROM generations WHERE id = {_owner("public/generations")} AND public_key = key)
ORDER BY place
"""
WALK = "SELECT begun_at, after, ended FROM blob_walks WHERE id = 1"
KEEP = """
INSERT INTO blob_walks (id, begun_at, after, ended) VALUES (1, $1, $2, $3)
ON CONFLICT (id) DO UPDATE SET begun_at = EXCLUDED.begun_at, after = EXCLUDED.after, ended = EXCLUDED.ended
"""


class PostgresOrphanedBlobs(OrphanedBlobs):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def among(self, keys: list[str]) -> list[str]:
        return [row["key"] for row in await self._pool.fetch(AMONG, keys)]

    async def walk(self) -> Walk | None:
        row = await self._pool.fetchrow(WALK)
        return Walk(**row) if row else None

    async def keep(self, walk: Walk) -> None:
        await self._pool.fetch(KEEP, *msgspec.structs.astuple(walk))
