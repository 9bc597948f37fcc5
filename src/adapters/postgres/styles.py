from datetime import datetime

import msgspec

from adapters.postgres.pool import Record
from adapters.postgres.statements import lookup
from adapters.postgres.style_versions import PostgresStyleVersions
from adapters.postgres.transaction import Explain, PostgresTransaction
from adapters.postgres.writes import Row, Write, assignments
from core.accounts.errors import UserNotFound
from core.identifiers import StyleId, UserId
from core.ports import changes
from core.styles.errors import StyleNotFound, StyleUsed
from core.styles.model import License, Offer, Style, Takedown
from core.styles.repository import Portfolio, Styles
from core.styles.version import Artwork, StyleVersion
from core.text import comparison_key

FIXED = ("id", "artist_id", "name", "name_key", "created_at")
CHANGING = (
    "description",
    "generation_cost_tokens",
    "license_type",
    "tags",
    "is_active",
    "show_samples",
    "valid_from",
    "valid_to",
    "version",
    "version_id",
    "model_path",
    "thumbnail_key",
    "updated_at",
    "closed_by_admin",
    "takedown_at",
    "takedown_reason",
    "takedown_by_admin",
    "takedown_keeps_images",
    "takedown_pending",
)
STYLES = f"SELECT {', '.join((*FIXED, *CHANGING))} FROM styles"
STYLE = f"{STYLES} WHERE id = $1"
OF_ARTIST = f"{STYLES} WHERE artist_id = $1 ORDER BY id"

OFFER = lookup(
    {"style_id": "bigint"},
    """
SELECT id AS style_id, artist_id, generation_cost_tokens, license_type, is_active, valid_from, valid_to, version,
    version_id, model_path, signature_key
FROM styles JOIN artists ON user_id = artist_id
WHERE id = input.style_id
""",
)

LOCK_PORTFOLIO = """
SELECT FROM artists JOIN users ON users.id = user_id WHERE user_id = $1 AND standing = 'present'
FOR NO KEY UPDATE OF artists, users
"""

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
PENDING_TAKEDOWNS = "SELECT id FROM styles WHERE takedown_pending ORDER BY id LIMIT $1"
EXPIRED = "SELECT id FROM styles WHERE is_active AND valid_to <= $1 ORDER BY valid_to, id LIMIT $2"


class PostgresStyles(Styles):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction
        self._versions = PostgresStyleVersions(transaction)

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

    async def offer(self, style_id: StyleId, *, version: int | None = None) -> Offer:
        row = await self._transaction.row(OFFER, style_id)
        if row is None:
            raise StyleNotFound
        columns = {name: row[name] for name in Offer.__struct_fields__}
        offer = Offer(**columns | {"license_type": License(row["license_type"])})
        if version in (None, offer.version):
            return offer
        return offer.of(await self._versions.of_number(style_id, version))

    async def add(self, style: Style, version: StyleVersion, artworks: list[Artwork]) -> None:
        await self._transaction.write(ADD_STYLE, _row(style))
        await self._versions.add(version)
        await self._transaction.write(ADD_TEXTS, {"style_id": style.id, "texts": _texts(style)})
        await self._versions.add_artworks(version, artworks)

    async def save(self, style: Style) -> None:
        await self._transaction.write(SAVE_STYLE, _row(style))
        await self._transaction.write(SAVE_TEXTS, {"style_id": style.id, "texts": _texts(style)})
        self._transaction.notify_after_commit(changes.style(style.id))

    async def remove(self, style_id: StyleId) -> None:
        explain: dict[str | None, Explain] = {
            "fk_generations_style_id_artist_id": _used,
            "fk_style_uses_style_id": _used,
        }
        await self._transaction.write(REMOVE_STYLE, {"id": style_id}, explain=explain)
        self._transaction.notify_after_commit(changes.style(style_id))

    async def pending_takedowns(self, *, limit: int) -> list[StyleId]:
        return [row["id"] for row in await self._transaction.fetch(PENDING_TAKEDOWNS, limit)]

    async def expired(self, *, at: datetime, limit: int) -> list[StyleId]:
        return [row["id"] for row in await self._transaction.fetch(EXPIRED, at, limit)]


async def _used() -> StyleUsed:
    return StyleUsed()


def _row(style: Style) -> Row:
    row = msgspec.structs.asdict(style)
    if style.takedown is not None:
        row |= {f"takedown_{name}": value for name, value in msgspec.structs.asdict(style.takedown).items()}
    return {**row, "name_key": comparison_key(style.name)}


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
        version_id=row["version_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
        closed_by_admin=row["closed_by_admin"],
        is_active=row["is_active"],
        show_samples=row["show_samples"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        model_path=row["model_path"],
        thumbnail_key=row["thumbnail_key"],
        takedown=Takedown(*takedown_columns(row)) if row["takedown_at"] else None,
    )


def takedown_columns(row: Record) -> tuple[datetime, str, bool, bool, bool]:
    return (
        row["takedown_at"],
        row["takedown_reason"],
        row["takedown_by_admin"],
        row["takedown_keeps_images"],
        row["takedown_pending"],
    )
