from datetime import datetime

import msgspec

from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import insert
from core.artwork_uploads.model import ArtworkUpload
from core.artwork_uploads.repository import ArtworkUploads
from core.identifiers import UploadId, UserId

COLUMNS = ("id", "artist_id", "name", "content_type", "size", "created_at")
UPLOADS = f"SELECT {', '.join(COLUMNS)} FROM artwork_uploads"
UNUSED = f"{UPLOADS} WHERE artist_id = $1 AND created_at > $2 ORDER BY created_at, id"
EXPIRED = f"{UPLOADS} WHERE created_at <= $1 ORDER BY created_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"
REMOVE = "DELETE FROM artwork_uploads WHERE id = ANY($1)"


class PostgresArtworkUploads(ArtworkUploads):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, uploads: list[ArtworkUpload]) -> None:
        await self._transaction.write(insert("artwork_uploads", COLUMNS), *map(msgspec.structs.asdict, uploads))

    async def unused(self, artist_id: UserId, *, since: datetime) -> list[ArtworkUpload]:
        return [ArtworkUpload(**row) for row in await self._transaction.fetch(UNUSED, artist_id, since)]

    async def expired(self, *, until: datetime, limit: int) -> list[ArtworkUpload]:
        return [ArtworkUpload(**row) for row in await self._transaction.fetch(EXPIRED, until, limit, lock=True)]

    async def remove(self, upload_ids: list[UploadId]) -> None:
        await self._transaction.fetch(REMOVE, upload_ids, lock=True)
