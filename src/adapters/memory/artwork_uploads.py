from datetime import datetime

from adapters.memory.accounts import found
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.artwork_uploads.model import ArtworkUpload
from core.artwork_uploads.repository import ArtworkUploads
from core.identifiers import UploadId, UserId


class MemoryArtworkUploads(ArtworkUploads):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, uploads: list[ArtworkUpload]) -> None:
        def operation(tables: Tables) -> None:
            for upload in uploads:
                found(tables, upload.artist_id)
                tables.artwork_uploads[upload.id] = upload

        self._transaction.write(operation)

    async def unused(self, artist_id: UserId, *, since: datetime) -> list[ArtworkUpload]:
        uploads = self._transaction.tables.artwork_uploads.values()
        return _in_order([upload for upload in uploads if upload.artist_id == artist_id and upload.created_at > since])

    async def expired(self, *, until: datetime, limit: int) -> list[ArtworkUpload]:
        uploads = self._transaction.tables.artwork_uploads
        expired = _in_order([upload for upload in uploads.values() if upload.created_at <= until])[:limit]
        for upload in expired:
            await self._transaction.lock("upload", upload.id)
        return [upload for upload in expired if upload.id in uploads]

    async def remove(self, upload_ids: list[UploadId]) -> None:
        def operation(tables: Tables) -> None:
            for upload_id in upload_ids:
                tables.artwork_uploads.pop(upload_id, None)

        self._transaction.write(operation)


def _in_order(uploads: list[ArtworkUpload]) -> list[ArtworkUpload]:
    return sorted(uploads, key=lambda upload: (upload.created_at, upload.id))
