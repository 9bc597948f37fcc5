from datetime import datetime

import msgspec

from adapters.postgres.changes import CHANNEL
from adapters.postgres.pool import Record
from adapters.postgres.statements import lookup
from adapters.postgres.transaction import Explain, PostgresTransaction
from adapters.postgres.writes import Row, Write, assignments, flattened
from core.accounts.errors import UserNotFound
from core.identifiers import StyleId, TaskId, UserId
from core.ports import changes
from core.styles.errors import StyleNotFound, StyleUsed
from core.styles.model import (
    NEAR,
    Artwork,
    License,
    NearCopy,
    Offer,
    Review,
    Rights,
    Style,
    Takedown,
    TrainingProgress,
    TrainingStatus,
)
from core.styles.repository import Portfolio, Styles
from core.tasks.outcome import Failure, Outcome
from core.text import comparison_key

FIXED = (
    "id",
    "artist_id",
    "name",
    "name_key",
    "created_at",
    "rights_affirmed_at",
    "rights_explicit",
    "rights_version",
)
CHANGING = (
    "description",
    "generation_cost_tokens",
    "license_type",
    "tags",
    "task_id",
    "training_status",
    "is_active",
    "show_samples",
    "valid_from",
    "valid_to",
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
    "thumbnail_key",
    "updated_at",
    "retried_at",
    "closed_by_admin",
    "takedown_at",
    "takedown_reason",
    "takedown_by_admin",
    "takedown_keeps_images",
    "takedown_pending",
    "review",
)
STYLES = f"SELECT {', '.join((*FIXED, *CHANGING))} FROM styles"
STYLE = f"{STYLES} WHERE id = $1"
OF_ARTIST = f"{STYLES} WHERE artist_id = $1 ORDER BY id"

OFFER = lookup(
    {"style_id": "bigint"},
    """
SELECT id AS style_id, artist_id, generation_cost_tokens, license_type, training_status, is_active, valid_from,
    valid_to, model_path, signature_key
FROM styles JOIN artists ON user_id = artist_id
WHERE id = input.style_id
""",
)

LOCK_PORTFOLIO = """
SELECT FROM artists JOIN users ON users.id = user_id WHERE user_id = $1 AND standing = 'present'
FOR NO KEY UPDATE OF artists, users
"""

ARTWORK = "id, style_id, index, key, format, width, height, size, caption, tags, sample_key, perceptual_hash"

ADD_STYLE = Write(
    target="styles",
    columns="styles",
    ctes=f"""
        added_style AS (
            INSERT INTO styles ({", ".join((*FIXED, *CHANGING))}, artist_followers)
            SELECT {", ".join(f"input.{column}" for column in (*FIXED, *CHANGING))}, users.follower_count
            FROM input_styles input JOIN users ON users.id = input.artist_id
        )""",
)
ADD_TEXTS = Write(
    target="style_texts",
    columns="style_texts",
    ctes="""
        added_style_texts AS (
            INSERT INTO style_texts (style_id, texts, grams)
            SELECT style_id, texts, search_grams(texts) FROM input_style_texts
        )""",
)
ADD_ARTWORKS = Write(
    target="artworks",
    columns="artworks",
    ctes=f"""
        added_artworks AS (
            INSERT INTO artworks ({ARTWORK}, hash_bands)
            SELECT {ARTWORK}, hash_bands(perceptual_hash) FROM input_artworks
            RETURNING id, style_id, tags
        ),
        added_style_tags AS (
            INSERT INTO style_tags (style_id, name, count)
            SELECT style_id, name, count(DISTINCT id) FROM added_artworks CROSS JOIN unnest(tags) name
            GROUP BY style_id, name
        )""",
)
SAVE_STYLE = Write(
    target="styles",
    columns="styles",
    ctes=f"""
        saved_style AS (
            UPDATE styles SET {assignments(CHANGING, "input")}
            FROM input_styles input WHERE styles.id = input.id
            RETURNING styles.id
        )""",
    finds="saved_style",
    rule="style_found",
)
SAVE_TEXTS = Write(
    target="style_texts",
    columns="style_texts",
    ctes="""
        saved_style_texts AS (
            UPDATE style_texts SET texts = input.texts, grams = search_grams(input.texts)
            FROM input_style_texts input
            WHERE style_texts.style_id = input.style_id AND style_texts.texts <> input.texts
        )""",
)
REMOVE_STYLE = Write(
    target="styles",
    columns="styles",
    ctes="""
        removed_style AS (
            DELETE FROM styles USING input_styles input WHERE styles.id = input.id RETURNING styles.id
        )""",
    finds="removed_style",
    rule="style_found",
)
ARTWORKS = f"SELECT {ARTWORK} FROM artworks WHERE style_id = $1 ORDER BY index"

# Of two hashes that differ by at most 7 bits, one of the four bands differs by at most 1.
NEAR_COPIES = f"""
SELECT place - 1 AS wanted, near.id AS artwork_id, style_id, distance
FROM unnest($1::bigint[]) WITH ORDINALITY AS input (hash, place)
CROSS JOIN LATERAL (
    SELECT id, style_id, bit_count((perceptual_hash # hash)::bit(64))::int AS distance FROM artworks
    WHERE hash_bands && near_bands(hash)
) near
JOIN styles ON styles.id = style_id
WHERE distance <= {NEAR} AND artist_id <> $2 AND review IS DISTINCT FROM 'rejected'
ORDER BY distance, near.id, place LIMIT $3
"""

# As with generations, the rule for which progress counts is here (see Styles.advance), and in no entity.
ADVANCE = """
UPDATE styles SET training_status = 'training', current_epoch = $2, total_epochs = $3, progress_percent = $4,
    estimated_seconds = $5, progress_at = $6, updated_at = $6
WHERE id = $1 AND training_status IN ('pending', 'training') AND (current_epoch IS NULL OR current_epoch < $2)
RETURNING training_status
"""

PENDING_TAKEDOWNS = "SELECT id FROM styles WHERE takedown_pending ORDER BY id LIMIT $1"
EXPIRED = "SELECT id FROM styles WHERE is_active AND valid_to <= $1 ORDER BY valid_to, id LIMIT $2"

RESTART_TIME_OUTS = """
WITH unpublished AS MATERIALIZED (
    SELECT id FROM styles JOIN outbox USING (task_id)
    WHERE training_status IN ('pending', 'training') AND updated_at <= $1
    FOR NO KEY UPDATE OF styles SKIP LOCKED
)
UPDATE styles SET updated_at = $2 FROM unpublished WHERE styles.id = unpublished.id
"""
STALLED = """
SELECT id FROM styles
WHERE training_status IN ('pending', 'training') AND review IS DISTINCT FROM 'pending' AND updated_at <= $1
ORDER BY updated_at, id LIMIT $2
"""


class PostgresStyles(Styles):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, style_id: StyleId, *, lock: bool = False) -> Style:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(f"{STYLE} {locking}", style_id, lock=lock)
        if row is None:
            raise StyleNotFound
        return _style(row)

    async def of_artist(self, artist_id: UserId, *, lock: bool = False) -> list[Style]:
        locking = "FOR NO KEY UPDATE" if lock else ""
        return [_style(row) for row in await self._transaction.fetch(f"{OF_ARTIST} {locking}", artist_id, lock=lock)]

    async def lock_to_withdraw(self, style_id: StyleId) -> Style:
        row = await self._transaction.fetchrow(f"{STYLE} FOR UPDATE", style_id, lock=True)
        if row is None:
            raise StyleNotFound
        return _style(row)

    async def check_publishable(self, style_id: StyleId) -> None:
        row = await self._transaction.fetchrow(f"{STYLE} FOR KEY SHARE", style_id, lock=True)
        if row is None:
            raise StyleNotFound
        _style(row).check_publishable()

    async def portfolio(self, artist_id: UserId, *, lock: bool = False) -> Portfolio:
        if lock and not await self._transaction.fetch(LOCK_PORTFOLIO, artist_id, lock=True):
            raise UserNotFound
        rows = await self._transaction.fetch("SELECT name_key FROM styles WHERE artist_id = $1", artist_id)
        return Portfolio([row["name_key"] for row in rows])

    async def offer(self, style_id: StyleId) -> Offer:
        row = await self._transaction.row(OFFER, style_id)
        if row is None:
            raise StyleNotFound
        columns = {name: row[name] for name in Offer.__struct_fields__}
        return Offer(
            **columns
            | {"license_type": License(row["license_type"]), "training_status": TrainingStatus(row["training_status"])}
        )

    async def add(self, style: Style, artworks: list[Artwork]) -> None:
        await self._transaction.write(ADD_STYLE, _row(style))
        await self._transaction.write(ADD_TEXTS, {"style_id": style.id, "texts": _texts(style)})
        await self.add_artworks(artworks)

    async def add_artworks(self, artworks: list[Artwork]) -> None:
        await self._transaction.write(ADD_ARTWORKS, *map(_artwork_row, artworks))

    async def save(self, style: Style) -> None:
        await self._transaction.write(SAVE_STYLE, _row(style))
        await self._transaction.write(SAVE_TEXTS, {"style_id": style.id, "texts": _texts(style)})
        self._transaction.notify_after_commit(changes.style(style.id))

    async def artworks(self, style_id: StyleId) -> list[Artwork]:
        return [_artwork(row) for row in await self._transaction.fetch(ARTWORKS, style_id)]

    async def near_copies(self, hashes: list[int], *, of_others_than: UserId, limit: int) -> list[NearCopy]:
        signed = [_signed(one) for one in hashes]
        return [NearCopy(**row) for row in await self._transaction.fetch(NEAR_COPIES, signed, of_others_than, limit)]

    async def remove(self, style_id: StyleId) -> None:
        explain: dict[str | None, Explain] = {
            "fk_generations_style_id_artist_id": _used,
            "fk_style_uses_style_id": _used,
        }
        await self._transaction.write(REMOVE_STYLE, {"id": style_id}, explain=explain)
        self._transaction.notify_after_commit(changes.style(style_id))

    async def advance(self, style_id: StyleId, progress: TrainingProgress) -> Outcome:
        unit = self._transaction.unit
        advanced = await unit.fetchrow(ADVANCE, style_id, *msgspec.structs.astuple(progress))
        row = advanced or await unit.fetchrow("SELECT training_status FROM styles WHERE id = $1", style_id)
        if row is None:
            raise StyleNotFound
        if advanced is not None:
            unit.pool.notifier.notify(CHANNEL, changes.style(style_id))
        return Outcome(applied=advanced is not None, status=row["training_status"])

    async def pending_takedowns(self, *, limit: int) -> list[StyleId]:
        return [row["id"] for row in await self._transaction.fetch(PENDING_TAKEDOWNS, limit)]

    async def expired(self, *, at: datetime, limit: int) -> list[StyleId]:
        return [row["id"] for row in await self._transaction.fetch(EXPIRED, at, limit)]

    async def restart_time_outs(self, *, inactive_since: datetime, at: datetime) -> None:
        await self._transaction.fetch(RESTART_TIME_OUTS, inactive_since, at, lock=True)

    async def stalled(self, *, since: datetime, limit: int) -> list[StyleId]:
        return [row["id"] for row in await self._transaction.fetch(STALLED, since, limit)]


async def _used() -> StyleUsed:
    return StyleUsed()


def _row(style: Style) -> Row:
    row = flattened(msgspec.structs.asdict(style))
    rights = {f"rights_{name}": value for name, value in msgspec.structs.asdict(style.rights).items()}
    if style.takedown is not None:
        rights |= {f"takedown_{name}": value for name, value in msgspec.structs.asdict(style.takedown).items()}
    return {**row, **rights, "name_key": comparison_key(style.name)}


def _artwork_row(artwork: Artwork) -> Row:
    row = msgspec.structs.asdict(artwork)
    return {**row, "perceptual_hash": artwork.perceptual_hash and _signed(artwork.perceptual_hash)}


def _artwork(row: Record) -> Artwork:
    found: int | None = row["perceptual_hash"]
    return Artwork(**{**row, "perceptual_hash": None if found is None else found % 2**64})


def _signed(perceptual_hash: int) -> int:
    """The same 64 bits as a bigint."""
    return perceptual_hash - 2**64 if perceptual_hash >= 2**63 else perceptual_hash


def _texts(style: Style) -> str:
    """The searchable texts of the style, one per line."""
    return "\n".join(["", comparison_key(style.name), *style.tags, ""])


def _style(row: Record) -> Style:
    return Style(
        id=row["id"],
        artist_id=row["artist_id"],
        name=row["name"],
        description=row["description"],
        generation_cost_tokens=row["generation_cost_tokens"],
        license_type=License(row["license_type"]),
        tags=row["tags"],
        task_id=TaskId(str(row["task_id"])),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        rights=Rights(row["rights_affirmed_at"], row["rights_explicit"], row["rights_version"]),
        retried_at=row["retried_at"],
        closed_by_admin=row["closed_by_admin"],
        training_status=TrainingStatus(row["training_status"]),
        is_active=row["is_active"],
        show_samples=row["show_samples"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        model_path=row["model_path"],
        training_metric=row["training_metric"],
        progress=training_progress(row),
        failure=training_failure(row),
        thumbnail_key=row["thumbnail_key"],
        takedown=Takedown(*takedown_columns(row)) if row["takedown_at"] else None,
        review=Review(row["review"]) if row["review"] else None,
    )


def takedown_columns(row: Record) -> tuple[datetime, str, bool, bool, bool]:
    return (
        row["takedown_at"],
        row["takedown_reason"],
        row["takedown_by_admin"],
        row["takedown_keeps_images"],
        row["takedown_pending"],
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
