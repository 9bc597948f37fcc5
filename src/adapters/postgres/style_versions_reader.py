from typing import Any

from adapters.postgres.pool import Reads, Record
from adapters.postgres.style_versions import training_failure, training_progress
from adapters.postgres.styles_reader import CHECKING, PROGRESS, artwork_views, checking, rights_view
from core.errors import Forbidden
from core.identifiers import StyleId
from core.ports.blob_store import BlobStore
from core.requester import Requester
from core.styles.errors import StyleNotFound, VersionNotFound
from core.styles.version import Review
from core.styles.views import StyleVersionsReader, VersionCard, VersionCards, VersionDetail

SHOWN = f"""
    artist_id, styles.model_path IS NOT NULL AS trained, training.id = styles.version_id AS in_use, number,
    training_status, training.model_path, training_metric, {PROGRESS}, {CHECKING}, failure_code, failure_message,
    failure_details, review, rights_affirmed_at, rights_explicit, rights_version, training.created_at,
    training.updated_at, completed_at
"""
LIST = f"""
SELECT {SHOWN}, (SELECT count(*) FROM artworks WHERE version_id = training.id) AS artwork_count
FROM styles JOIN style_versions training ON style_id = styles.id
WHERE styles.id = $1
ORDER BY number DESC
"""
DETAIL = f"""
SELECT {SHOWN}, (
    SELECT jsonb_agg(
        jsonb_build_object(
            'id', id, 'key', key, 'caption', caption, 'tags', tags, 'width', width, 'height', height
        ) ORDER BY index
    )
    FROM artworks WHERE version_id = training.id
) AS artworks
FROM styles LEFT JOIN style_versions training ON style_id = styles.id AND number = $2::bigint
WHERE styles.id = $1
"""


class PostgresStyleVersionsReader(StyleVersionsReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def list(self, style_id: StyleId, *, viewer: Requester) -> VersionCards:
        rows = await self._reads.fetch(LIST, style_id)
        _check(rows, viewer)
        return [VersionCard(**_card(row), artwork_count=row["artwork_count"]) for row in rows]

    async def detail(self, style_id: StyleId, number: int, *, viewer: Requester) -> VersionDetail:
        rows = await self._reads.fetch(DETAIL, style_id, number)
        _check(rows, viewer)
        [row] = rows
        if row["number"] is None:
            raise VersionNotFound
        artworks = await artwork_views(row["artworks"], self._blobs)
        return VersionDetail(**_card(row), artwork_count=len(artworks), artworks=artworks)


def _check(rows: list[Record], viewer: Requester) -> None:
    """Raises StyleNotFound or Forbidden."""
    if not rows:
        raise StyleNotFound
    if not viewer.is_admin and viewer.id != rows[0]["artist_id"]:
        raise Forbidden if rows[0]["trained"] else StyleNotFound


def _card(row: Record) -> dict[str, Any]:
    return {
        "version": row["number"],
        "in_use": row["in_use"],
        "training_status": row["training_status"],
        "progress": training_progress(row),
        "checking": checking(row),
        "failure": training_failure(row),
        "review": Review(row["review"]) if row["review"] else None,
        "model_path": row["model_path"],
        "training_metric": row["training_metric"],
        "rights": rights_view(row),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "completed_at": row["completed_at"],
    }
