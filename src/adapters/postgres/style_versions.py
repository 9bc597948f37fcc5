from collections import Counter
from datetime import datetime

import msgspec

from adapters.postgres.changes import CHANNEL
from adapters.postgres.pool import Record
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Row, Write, assignments, flattened, hexadecimal, insert
from core.identifiers import StyleId, TaskId, UserId, VersionId
from core.ports import changes
from core.styles.errors import StyleNotFound, VersionNotFound
from core.styles.repository import StyleVersions
from core.styles.version import (
    NEAR,
    Artwork,
    NearCopy,
    Review,
    Rights,
    StyleVersion,
    TrainingProgress,
    TrainingStatus,
)
from core.tasks.outcome import Failure, Outcome

FIXED = (
    "id",
    "style_id",
    "number",
    "created_at",
    "rights_affirmed_at",
    "rights_explicit",
    "rights_version",
)
CHANGING = (
    "task_id",
    "training_status",
    "model_path",
    "training_metric",
    "current_epoch",
    "total_epochs",
    "progress_percent",
    "estimated_seconds",
    "progress_at",
    "failure_code",
    "failure_message",
    "failure_details",
    "retried_at",
    "review",
    "updated_at",
    "completed_at",
)
# The styles first: their rows are locked in this order.
VERSIONS = f"""
SELECT {", ".join(f"version.{column}" for column in (*FIXED, *CHANGING))}
FROM styles JOIN style_versions version ON style_id = styles.id
"""
VERSION = f"{VERSIONS} WHERE version.id = $1"
OF_NUMBER = f"{VERSIONS} WHERE styles.id = $1 AND number = $2::bigint"
LATEST = f"{VERSIONS} WHERE styles.id = $1 ORDER BY number DESC LIMIT 1"
OF_STYLE = f"{VERSIONS} WHERE styles.id = $1 ORDER BY number"

SAVE_VERSION = Write(
    target="style_versions",
    columns="style_versions",
    ctes=f"""
        saved_version AS (
            UPDATE style_versions SET {assignments(CHANGING, "input")}
            FROM input_style_versions input WHERE style_versions.id = input.id
            RETURNING style_versions.id
        )""",
    finds="saved_version",
    rule="version_found",
)

ARTWORK = "id, version_id, index, key, format, width, height, size, digest, caption, tags, sample_key, perceptual_hash"
ADD_ARTWORKS = Write(
    target="artworks",
    columns="artworks",
    ctes=f"""
        added_artworks AS (
            INSERT INTO artworks ({ARTWORK}, hash_bands)
            SELECT {ARTWORK}, hash_bands(perceptual_hash) FROM input_artworks
        )""",
)
STYLE_TAG = ("style_id", "name", "count")
ARTWORKS = f"SELECT {ARTWORK} FROM artworks WHERE version_id = $1 ORDER BY index"

# Of two hashes that differ by at most 7 bits, one of the four bands differs by at most 1.
NEAR_COPIES = f"""
SELECT place - 1 AS wanted, near.id AS artwork_id, style_id, distance
FROM unnest($1::bigint[]) WITH ORDINALITY AS input (hash, place)
CROSS JOIN LATERAL (
    SELECT id, version_id, bit_count((perceptual_hash # hash)::bit(64))::int AS distance FROM artworks
    WHERE hash_bands && near_bands(hash)
) near
JOIN style_versions ON style_versions.id = version_id
JOIN styles ON styles.id = style_id
WHERE distance <= {NEAR} AND artist_id <> $2 AND review IS DISTINCT FROM 'rejected'
ORDER BY distance, near.id, place LIMIT $3
"""

# As with generations, the rule for which progress counts is here (see StyleVersions.advance), and in no entity.
ADVANCE = """
UPDATE style_versions SET training_status = 'training', current_epoch = $2, total_epochs = $3, progress_percent = $4,
    estimated_seconds = $5, progress_at = $6, updated_at = $6
WHERE id = $1 AND training_status IN ('pending', 'training') AND (current_epoch IS NULL OR current_epoch < $2)
RETURNING training_status, style_id
"""

RESTART_TIME_OUTS = """
WITH unpublished AS MATERIALIZED (
    SELECT id FROM style_versions JOIN outbox USING (task_id)
    WHERE training_status IN ('pending', 'training') AND updated_at <= $1
    FOR NO KEY UPDATE OF style_versions SKIP LOCKED
)
UPDATE style_versions SET updated_at = $2 FROM unpublished WHERE style_versions.id = unpublished.id
"""
STALLED = """
SELECT id FROM style_versions
WHERE training_status IN ('pending', 'training') AND review IS DISTINCT FROM 'pending' AND updated_at <= $1
ORDER BY updated_at, id LIMIT $2
"""


class PostgresStyleVersions(StyleVersions):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, version_id: VersionId, *, lock: bool = False) -> StyleVersion:
        version = await self._found(VERSION, version_id, lock=lock)
        if version is None:
            raise StyleNotFound
        return version

    async def of_number(self, style_id: StyleId, number: int) -> StyleVersion:
        version = await self._found(OF_NUMBER, style_id, number)
        if version is None:
            raise VersionNotFound
        return version

    async def latest(self, style_id: StyleId, *, lock: bool = False) -> StyleVersion:
        version = await self._found(LATEST, style_id, lock=lock)
        if version is None:
            raise StyleNotFound
        return version

    async def _found(self, sql: str, *args: int, lock: bool = False) -> StyleVersion | None:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(f"{sql} {locking}", *args, lock=lock)
        return _version(row) if row else None

    async def of_style(self, style_id: StyleId) -> list[StyleVersion]:
        return [_version(row) for row in await self._transaction.fetch(OF_STYLE, style_id)]

    async def add(self, version: StyleVersion) -> None:
        await self._transaction.write(insert("style_versions", (*FIXED, *CHANGING)), _row(version))

    async def save(self, version: StyleVersion) -> None:
        await self._transaction.write(SAVE_VERSION, _row(version))
        self._transaction.notify_after_commit(changes.style(version.style_id))

    async def add_artworks(self, version: StyleVersion, artworks: list[Artwork]) -> None:
        await self._transaction.write(ADD_ARTWORKS, *map(_artwork_row, artworks))
        if version.number == 1:  # those of others are counted when they are used, by a trigger
            counts = Counter(tag for artwork in artworks for tag in set(artwork.tags))
            rows = [{"style_id": version.style_id, "name": name, "count": count} for name, count in counts.items()]
            await self._transaction.write(insert("style_tags", STYLE_TAG), *rows)

    async def artworks(self, version_id: VersionId) -> list[Artwork]:
        return [_artwork(row) for row in await self._transaction.fetch(ARTWORKS, version_id)]

    async def near_copies(self, hashes: list[int], *, of_others_than: UserId, limit: int) -> list[NearCopy]:
        signed = [_signed(one) for one in hashes]
        return [NearCopy(**row) for row in await self._transaction.fetch(NEAR_COPIES, signed, of_others_than, limit)]

    async def advance(self, version_id: VersionId, progress: TrainingProgress) -> Outcome:
        unit = self._transaction.unit
        advanced = await unit.fetchrow(ADVANCE, version_id, *msgspec.structs.astuple(progress))
        row = advanced or await unit.fetchrow("SELECT training_status FROM style_versions WHERE id = $1", version_id)
        if row is None:
            raise StyleNotFound
        if advanced is not None:
            unit.pool.notifier.notify(CHANNEL, changes.style(advanced["style_id"]))
        return Outcome(applied=advanced is not None, status=row["training_status"])

    async def restart_time_outs(self, *, inactive_since: datetime, at: datetime) -> None:
        await self._transaction.fetch(RESTART_TIME_OUTS, inactive_since, at, lock=True)

    async def stalled(self, *, since: datetime, limit: int) -> list[VersionId]:
        return [row["id"] for row in await self._transaction.fetch(STALLED, since, limit)]


def _row(version: StyleVersion) -> Row:
    row = flattened(msgspec.structs.asdict(version))
    return {**row} | {f"rights_{name}": value for name, value in msgspec.structs.asdict(version.rights).items()}


def _artwork_row(artwork: Artwork) -> Row:
    row = msgspec.structs.asdict(artwork)
    return {
        **row,
        "digest": hexadecimal(artwork.digest),
        "perceptual_hash": artwork.perceptual_hash and _signed(artwork.perceptual_hash),
    }


def _artwork(row: Record) -> Artwork:
    found: int | None = row["perceptual_hash"]
    return Artwork(**{**row, "perceptual_hash": None if found is None else found % 2**64})


def _signed(perceptual_hash: int) -> int:
    """The same 64 bits as a bigint."""
    return perceptual_hash - 2**64 if perceptual_hash >= 2**63 else perceptual_hash


def _version(row: Record) -> StyleVersion:
    return StyleVersion(
        id=row["id"],
        style_id=row["style_id"],
        number=row["number"],
        task_id=TaskId(str(row["task_id"])),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        rights=Rights(row["rights_affirmed_at"], row["rights_explicit"], row["rights_version"]),
        training_status=TrainingStatus(row["training_status"]),
        model_path=row["model_path"],
        training_metric=row["training_metric"],
        progress=training_progress(row),
        failure=training_failure(row),
        retried_at=row["retried_at"],
        review=Review(row["review"]) if row["review"] else None,
        completed_at=row["completed_at"],
    )


def training_progress(row: Record) -> TrainingProgress | None:
    if row["progress_at"] is None:
        return None
    return TrainingProgress(
        row["current_epoch"],
        row["total_epochs"],
        row["progress_percent"],
        row["estimated_seconds"],
        row["progress_at"],
    )


def training_failure(row: Record) -> Failure | None:
    if row["failure_code"] is None:
        return None
    return Failure(row["failure_code"], row["failure_message"], row["failure_details"])
