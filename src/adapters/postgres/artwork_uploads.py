from datetime import datetime
from typing import Any

import msgspec

from adapters.postgres.pool import Record
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Write, assignments, insert
from core.artwork_uploads.errors import CheckTakenOver, UploadNotFound
from core.artwork_uploads.model import ArtworkCheck, ArtworkUpload, Use
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.identifiers import UploadId, UserId, VersionId
from core.ports import changes
from core.styles.version import Artwork

ANNOUNCED = ("id", "artist_id", "name", "content_type", "size", "created_at")
USE = ("version_id", "index", "caption", "tags", "passed")
UPLOADS = f"SELECT {', '.join((*ANNOUNCED, *USE))} FROM artwork_uploads"
UNUSED = f"{UPLOADS} WHERE artist_id = $1 AND version_id IS NULL AND created_at > $2 ORDER BY created_at, id"
OF_ARTIST = f"{UPLOADS} WHERE id = $1 AND artist_id = $2 FOR UPDATE"
OF_VERSION = f"{UPLOADS} WHERE version_id = $1 ORDER BY index"
EXPIRED = f"""
{UPLOADS} WHERE version_id IS NULL AND created_at <= $1 ORDER BY created_at, id LIMIT $2
FOR UPDATE SKIP LOCKED
"""
SAVE = Write(
    target="artwork_uploads",
    columns="artwork_uploads",
    ctes=f"""
        saved_uploads AS (
            UPDATE artwork_uploads SET {assignments(USE, "input")}
            FROM input_artwork_uploads input WHERE artwork_uploads.id = input.id
        )""",
)
REMOVE = "DELETE FROM artwork_uploads WHERE id = ANY($1)"

CHECK = ("version_id", "kept_from", "files", "passed", "attempt", "created_at", "updated_at")
CLAIM = f"""
UPDATE artwork_checks claimed SET claimed_until = $2, attempt = claimed.attempt + 1
FROM style_versions JOIN styles ON styles.id = style_id
WHERE style_versions.id = claimed.version_id AND claimed.version_id = (
    SELECT version_id FROM artwork_checks WHERE claimed_until IS NULL OR claimed_until <= $1
    ORDER BY updated_at, version_id LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING style_id, artist_id, {", ".join(f"claimed.{column}" for column in CHECK)}
"""
HELD = "version_id = $1 AND attempt = $2"
ADVANCE = f"""
UPDATE artwork_checks SET passed = $3, updated_at = $4, claimed_until = $5 WHERE {HELD} RETURNING version_id
"""
RELEASE = f"UPDATE artwork_checks SET claimed_until = NULL, updated_at = $3 WHERE {HELD}"
END = f"DELETE FROM artwork_checks WHERE {HELD} RETURNING version_id"


class PostgresArtworkUploads(ArtworkUploads):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, uploads: list[ArtworkUpload]) -> None:
        rows = [{name: getattr(upload, name) for name in ANNOUNCED} for upload in uploads]
        await self._transaction.write(insert("artwork_uploads", ANNOUNCED), *rows)

    async def unused(self, artist_id: UserId, *, since: datetime, lock: bool = False) -> list[ArtworkUpload]:
        locking = "FOR UPDATE" if lock else ""
        return self._read(await self._transaction.fetch(f"{UNUSED} {locking}", artist_id, since, lock=lock))

    async def of_artist(self, artist_id: UserId, upload_id: UploadId) -> ArtworkUpload:
        found = self._read(await self._transaction.fetch(OF_ARTIST, upload_id, artist_id, lock=True))
        if not found:
            raise UploadNotFound
        return found[0]

    async def of_version(self, version_id: VersionId) -> list[ArtworkUpload]:
        return self._read(await self._transaction.fetch(OF_VERSION, version_id))

    async def save(self, uploads: list[ArtworkUpload]) -> None:
        await self._transaction.write(SAVE, *map(_row, uploads))

    async def expired(self, *, until: datetime, limit: int) -> list[ArtworkUpload]:
        return self._read(await self._transaction.fetch(EXPIRED, until, limit, lock=True))

    async def remove(self, upload_ids: list[UploadId]) -> None:
        await self._transaction.fetch(REMOVE, upload_ids, lock=True)

    def _read(self, rows: list[Record]) -> list[ArtworkUpload]:
        return [ArtworkUpload(**{name: row[name] for name in ANNOUNCED}, use=_use(row)) for row in rows]


class PostgresArtworkChecks(ArtworkChecks):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def start(self, check: ArtworkCheck) -> None:
        row = {name: getattr(check, name) for name in CHECK}
        await self._transaction.write(insert("artwork_checks", CHECK), row)
        self._transaction.notify_after_commit(changes.ARTWORK_CHECKS)

    async def claim(self, *, at: datetime, until: datetime) -> ArtworkCheck | None:
        row = await self._transaction.fetchrow(CLAIM, at, until, lock=True)
        return ArtworkCheck(**row) if row else None

    async def advance(self, check: ArtworkCheck, *, until: datetime) -> None:
        await self._held(ADVANCE, check, check.passed, check.updated_at, until)
        self._transaction.notify_after_commit(changes.style(check.style_id))

    async def release(self, check: ArtworkCheck) -> None:
        await self._transaction.fetch(RELEASE, check.version_id, check.attempt, check.updated_at, lock=True)

    async def end(self, check: ArtworkCheck) -> None:
        await self._held(END, check)

    async def _held(self, sql: str, check: ArtworkCheck, *more: object) -> None:
        if not await self._transaction.fetch(sql, check.version_id, check.attempt, *more, lock=True):
            raise CheckTakenOver


def _row(upload: ArtworkUpload) -> dict[str, Any]:
    use = msgspec.structs.asdict(upload.use) if upload.use else dict.fromkeys(USE)
    passed = use["passed"]
    return {"id": upload.id, **use, "passed": passed and msgspec.to_builtins(passed)}


def _use(row: Record) -> Use | None:
    if row["version_id"] is None:
        return None
    passed = row["passed"] and msgspec.convert(row["passed"], Artwork)
    return Use(row["version_id"], row["index"], row["caption"], row["tags"], passed)
