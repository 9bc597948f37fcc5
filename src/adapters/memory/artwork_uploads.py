from datetime import datetime

import msgspec

from adapters.memory.accounts import found
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.artwork_uploads.errors import CheckTakenOver, UploadNotFound
from core.artwork_uploads.model import ArtworkCheck, ArtworkUpload
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.identifiers import UploadId, UserId, VersionId
from core.ports import changes


class MemoryArtworkUploads(ArtworkUploads):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, uploads: list[ArtworkUpload]) -> None:
        def operation(tables: Tables) -> None:
            for upload in uploads:
                found(tables, upload.artist_id)
                tables.artwork_uploads[upload.id] = upload

        self._transaction.write(operation)

    async def unused(self, artist_id: UserId, *, since: datetime, lock: bool = False) -> list[ArtworkUpload]:
        def found() -> list[ArtworkUpload]:
            uploads = self._transaction.tables.artwork_uploads.values()
            return _in_order(
                [
                    upload
                    for upload in uploads
                    if upload.artist_id == artist_id and upload.use is None and upload.created_at > since
                ]
            )

        if lock:
            for upload in found():
                await self._transaction.lock("upload", upload.id)
        return found()

    async def of_artist(self, artist_id: UserId, upload_id: UploadId) -> ArtworkUpload:
        await self._transaction.lock("upload", upload_id)
        upload = self._transaction.tables.artwork_uploads.get(upload_id)
        if upload is None or upload.artist_id != artist_id:
            raise UploadNotFound
        return upload

    async def of_version(self, version_id: VersionId) -> list[ArtworkUpload]:
        uploads = self._transaction.tables.artwork_uploads.values()
        used = [(upload.use.index, upload) for upload in uploads if upload.use and upload.use.version_id == version_id]
        return [upload for _, upload in sorted(used, key=lambda pair: pair[0])]

    async def save(self, uploads: list[ArtworkUpload]) -> None:
        def operation(tables: Tables) -> None:
            for upload in uploads:
                tables.artwork_uploads[upload.id] = upload

        self._transaction.write(operation)

    async def expired(self, *, until: datetime, limit: int) -> list[ArtworkUpload]:
        uploads = self._transaction.tables.artwork_uploads
        unused = [upload for upload in uploads.values() if upload.use is None and upload.created_at <= until]
        expired = _in_order(unused)[:limit]
        for upload in expired:
            await self._transaction.lock("upload", upload.id)
        return [upload for upload in expired if uploads.get(upload.id) == upload]

    async def remove(self, upload_ids: list[UploadId]) -> None:
        def operation(tables: Tables) -> None:
            for upload_id in upload_ids:
                tables.artwork_uploads.pop(upload_id, None)

        self._transaction.write(operation)


class MemoryArtworkChecks(ArtworkChecks):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def start(self, check: ArtworkCheck) -> None:
        def operation(tables: Tables) -> None:
            tables.artwork_checks[check.version_id] = check

        self._transaction.write(operation)
        self._transaction.notify_after_commit(changes.ARTWORK_CHECKS)

    async def claim(self, *, at: datetime, until: datetime) -> ArtworkCheck | None:
        def operation(tables: Tables) -> ArtworkCheck | None:
            waiting = sorted(
                (check.updated_at, version_id)
                for version_id, check in tables.artwork_checks.items()
                if tables.claims.get(version_id, at) <= at
            )
            if not waiting:
                return None
            _, version_id = waiting[0]
            check = tables.artwork_checks[version_id]
            claimed = msgspec.structs.replace(check, attempt=check.attempt + 1)
            tables.artwork_checks[version_id], tables.claims[version_id] = claimed, until
            return claimed

        await self._transaction.lock("artwork checks")
        return self._transaction.write(operation)

    async def advance(self, check: ArtworkCheck, *, until: datetime) -> None:
        def operation(tables: Tables) -> None:
            _held(tables, check)
            tables.artwork_checks[check.version_id], tables.claims[check.version_id] = check, until

        self._transaction.write(operation)
        self._transaction.notify_after_commit(changes.style(check.style_id))

    async def release(self, check: ArtworkCheck) -> None:
        def operation(tables: Tables) -> None:
            current = tables.artwork_checks.get(check.version_id)
            if current and current.attempt == check.attempt:
                tables.artwork_checks[check.version_id] = msgspec.structs.replace(current, updated_at=check.updated_at)
                tables.claims.pop(check.version_id, None)

        self._transaction.write(operation)

    async def end(self, check: ArtworkCheck) -> None:
        def operation(tables: Tables) -> None:
            _held(tables, check)
            del tables.artwork_checks[check.version_id]
            tables.claims.pop(check.version_id, None)

        self._transaction.write(operation)


def _held(tables: Tables, check: ArtworkCheck) -> None:
    """Raises CheckTakenOver."""
    current = tables.artwork_checks.get(check.version_id)
    if current is None or current.attempt != check.attempt:
        raise CheckTakenOver


def _in_order(uploads: list[ArtworkUpload]) -> list[ArtworkUpload]:
    return sorted(uploads, key=lambda upload: (upload.created_at, upload.id))
