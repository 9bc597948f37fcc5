import asyncio
from datetime import datetime
from typing import Any

from adapters.postgres.paging import Arguments, Keys, cut, fetch_page, limit, matching
from adapters.postgres.pool import Reads, Record
from adapters.postgres.statements import lookup
from adapters.postgres.style_versions import NEAR_COPIES, training_failure, training_progress
from adapters.postgres.styles import takedown_columns
from core.accounts.pictures import picture_urls
from core.derivatives import ImageUrls, derivatives_of, image_urls, original, public_urls
from core.identifiers import StyleId, UserId
from core.paging import Page, PageRequest
from core.ports.blob_store import PUBLIC_PREFIX, BlobStore
from core.requester import Requester
from core.styles.errors import StyleNotFound
from core.styles.version import SAMPLES, Review
from core.styles.views import (
    LIKED,
    RECOMMENDED,
    ArtworkView,
    CheckingProgress,
    ComparedArtwork,
    NearCopies,
    NearCopyView,
    OwnStyleCard,
    OwnStyleDetail,
    RecommendedTag,
    RecommendedTags,
    RightsView,
    SampleArtwork,
    StyleArtist,
    StyleCard,
    StyleDetail,
    StyleDetailArtist,
    StyleQuery,
    StyleSort,
    StylesReader,
    StyleStats,
    TakedownView,
    checking_progress,
)
from core.styles.views import NEAR_COPIES as SHOWN_COPIES

USES = "usage_count + (SELECT count(*) FROM style_uses WHERE style_id = styles.id) AS usage_count"
THUMBNAIL = """
    coalesce(
        thumbnail_key,
        CASE WHEN show_samples THEN (
            SELECT sample_key FROM artworks WHERE version_id = styles.version_id AND index = 0
        ) END
    ) AS thumbnail
"""
PROGRESS = "current_epoch, total_epochs, progress_percent, estimated_seconds, progress_at"
CHECKING = """
    CASE WHEN training_status = 'pending' THEN (
        SELECT jsonb_build_object('passed', passed, 'files', files, 'at', updated_at)
        FROM artwork_checks WHERE version_id = training.id
    ) END AS checking
"""
STATUS = """
    CASE WHEN styles.model_path IS NOT NULL THEN 'completed' ELSE (
        SELECT training_status FROM style_versions WHERE id = styles.version_id
    ) END AS training_status
"""
IN_USE = "JOIN style_versions training ON training.id = styles.version_id"
CARD = f"""
    styles.id, name, description, {THUMBNAIL}, styles.artist_id, username, artist_name, generation_cost_tokens,
     license_type, {USES}, tags, styles.created_at
"""
"""The columns of a StyleCard but its status, from styles, users and artists."""
PEOPLE = "JOIN users ON users.id = styles.artist_id JOIN artists ON artists.user_id = styles.artist_id"

SEES = "(styles.model_path IS NOT NULL OR styles.artist_id = $2 OR $3::boolean)"

DETAIL = lookup(
    {"style_id": "bigint", "viewer": "bigint", "is_admin": "boolean"},
    f"""
SELECT {CARD}, training_status, {PROGRESS}, valid_from, valid_to, is_active, show_samples, styles.version,
    greatest(styles.updated_at, training.updated_at) AS updated_at, profile_image, follower_count, training.model_path,
    training_metric, failure_code, failure_message, failure_details,
    {CHECKING}, rights_affirmed_at, rights_explicit,
    rights_version, takedown_at, takedown_reason, takedown_by_admin, takedown_keeps_images, takedown_pending, review,
    styles.artist_id = input.viewer OR input.is_admin AS own,
    (
        SELECT coalesce(avg(like_count), 0)::float8 FROM (
            SELECT like_count FROM generations WHERE style_id = input.style_id AND public_key IS NOT NULL
            ORDER BY created_at DESC, id DESC LIMIT {LIKED}
        ) latest
    ) AS avg_likes,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', id, 'key', key, 'caption', caption, 'tags', tags, 'width', width, 'height', height,
                'sample_key', sample_key
            ) ORDER BY index
        )
        FROM artworks
        WHERE version_id = styles.version_id
            AND (index < {SAMPLES} OR styles.artist_id = input.viewer OR input.is_admin)
    ) AS artworks
FROM styles {PEOPLE} {IN_USE}
WHERE styles.id = input.style_id
    AND (styles.model_path IS NOT NULL OR styles.artist_id = input.viewer OR input.is_admin)
""",
)

RECOMMENDATIONS = f"""
WITH changed AS MATERIALIZED (
    SELECT name, sum(amount)::bigint AS difference FROM style_tag_deltas WHERE style_id = $1 GROUP BY name
)
SELECT tag.name, tag.count
FROM styles
LEFT JOIN (
    (
        SELECT name, count FROM style_tags WHERE style_id = $1 AND name NOT IN (SELECT name FROM changed)
        ORDER BY count DESC, name LIMIT {RECOMMENDED}
    )
    UNION ALL
    SELECT name, count FROM changed CROSS JOIN LATERAL (
        SELECT difference + coalesce(
            (SELECT count FROM style_tags WHERE style_id = $1 AND style_tags.name = changed.name), 0
        ) AS count
    ) total
    WHERE count > 0
    ORDER BY count DESC, name LIMIT {RECOMMENDED}
) tag ON true
WHERE styles.id = $1 AND {SEES}
ORDER BY tag.count DESC, tag.name
"""

OPEN = "model_path IS NOT NULL AND is_active"
UNFINISHED = "model_path IS NULL"


def _list_own(page: PageRequest, arguments: Arguments) -> str:
    keys = Keys()
    return f"""
    SELECT {CARD}, training_status, {PROGRESS}, {CHECKING},
        earned_tokens + (SELECT coalesce(sum(tokens), 0)::bigint FROM style_uses WHERE style_id = styles.id) AS earned
    FROM (
        SELECT * FROM styles WHERE artist_id = $1 AND {keys.after(page, arguments)}
        ORDER BY {keys.order()} {limit(page)}
    ) styles {PEOPLE} {IN_USE}
    ORDER BY {keys.order("styles")}
    """


def _list(query: StyleQuery, page: PageRequest, arguments: Arguments) -> tuple[str, str]:
    """The SELECT of a page, and the order of its rows.

    Each branch is one index range; inactive filters are left out.
    """
    keys = Keys("artist_followers" if query.sort is StyleSort.POPULAR else None)
    shared = keys.after(page, arguments)
    if query.artist_id is not None:
        shared += f" AND artist_id = {arguments.add(query.artist_id)}"
    branches = [OPEN]
    if query.own_unfinished is not None:
        branches.append(f"artist_id = {arguments.add(query.own_unfinished)} AND {UNFINISHED}")
    if query.tags:
        tagged = f"tags @> {arguments.add(query.tags)}"
        pages = [
            matching("styles", rows=f"{branch} AND {shared}", filter=tagged, keys=keys, page=page)
            for branch in branches
        ]
    else:
        pages = [
            f"SELECT * FROM styles WHERE {branch} AND {shared} ORDER BY {keys.order()} {limit(page)}"
            for branch in branches
        ]
    found = " UNION ALL ".join(f"({one})" for one in pages)
    if len(pages) > 1:
        found = f"SELECT * FROM ({found}) of_each ORDER BY {keys.order()} {limit(page)}"
    return f"SELECT {CARD}, {STATUS}, {keys.rank} AS rank FROM ({found}) styles {PEOPLE}", keys.of_page()


_ARTWORKS = f"""
SELECT artworks.id, key, perceptual_hash, style_id, name, styles.artist_id, username, artist_name
FROM artworks
JOIN style_versions ON style_versions.id = artworks.version_id
JOIN styles ON styles.id = style_id {PEOPLE}
"""
HASHED = f"""
{_ARTWORKS}
WHERE style_versions.id = (SELECT id FROM style_versions WHERE style_id = $1 ORDER BY number DESC LIMIT 1)
    AND perceptual_hash IS NOT NULL
ORDER BY index
"""
COMPARED = f"{_ARTWORKS} WHERE artworks.id = ANY($1)"


class PostgresStylesReader(StylesReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def list(self, query: StyleQuery, *, page: PageRequest) -> Page[StyleCard]:
        # Pages by tags may take long to find: they must not delay those of other callers.
        arguments = Arguments(together=not query.tags)
        sql, order = _list(query, page, arguments)
        rows, following = cut(await fetch_page(self._reads, sql, order, arguments), page)
        return Page([StyleCard(**await self._card(row)) for row in rows], following)

    async def list_own(self, artist_id: UserId, *, page: PageRequest) -> Page[OwnStyleCard]:
        arguments = Arguments([artist_id])
        sql = _list_own(page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        cards = [
            OwnStyleCard(
                **await self._card(row),
                total_earned_tokens=row["earned"],
                progress=training_progress(row),
                checking=checking(row),
            )
            for row in rows
        ]
        return Page(cards, following)

    async def detail(self, style_id: StyleId, *, viewer: Requester | None) -> StyleDetail | OwnStyleDetail:
        is_admin = viewer is not None and viewer.is_admin
        row = await self._reads.row(DETAIL, style_id, viewer and viewer.id, is_admin)
        if row is None:
            raise StyleNotFound
        shown = await self._detail(row)
        if not row["own"]:
            return StyleDetail(**shown)
        return OwnStyleDetail(
            **shown,
            model_path=row["model_path"],
            training_metric=row["training_metric"],
            artworks=await artwork_views(row["artworks"], self._blobs),
            failure=training_failure(row),
            checking=checking(row),
            rights=rights_view(row),
            takedown=TakedownView(*takedown_columns(row)) if row["takedown_at"] else None,
            review=Review(row["review"]) if row["review"] else None,
        )

    async def recommended_tags(self, style_id: StyleId, *, viewer: Requester | None) -> RecommendedTags:
        is_admin = viewer is not None and viewer.is_admin
        rows = await self._reads.fetch(RECOMMENDATIONS, style_id, viewer and viewer.id, is_admin)
        if not rows:
            raise StyleNotFound
        return [RecommendedTag(**row) for row in rows if row["name"] is not None]

    async def near_copies(self, style_id: StyleId) -> NearCopies:
        own = await self._reads.fetch(HASHED, style_id)
        if not own:
            return []
        hashes, artist_id = [row["perceptual_hash"] for row in own], own[0]["artist_id"]
        found = await self._reads.fetch(NEAR_COPIES, hashes, artist_id, SHOWN_COPIES)
        others = {row["id"]: row for row in await self._reads.fetch(COMPARED, [row["artwork_id"] for row in found])}
        return [
            NearCopyView(
                await self._compared(own[row["wanted"]]),
                await self._compared(others[row["artwork_id"]]),
                row["distance"],
            )
            for row in found
            if row["artwork_id"] in others
        ]

    async def _compared(self, row: Record) -> ComparedArtwork:
        return ComparedArtwork(
            row["id"],
            await self._blobs.signed_url(row["key"]),
            row["style_id"],
            row["name"],
            StyleArtist(row["artist_id"], row["username"], row["artist_name"]),
        )

    async def _card(self, row: Record) -> dict[str, Any]:
        images = await thumbnail_urls(row["thumbnail"], self._blobs)
        return {
            "id": row["id"],
            "name": row["name"],
            "description": row["description"],
            "thumbnail_url": original(images),
            "images": images,
            "artist": StyleArtist(row["artist_id"], row["username"], row["artist_name"]),
            "training_status": row["training_status"],
            "generation_cost_tokens": row["generation_cost_tokens"],
            "license_type": row["license_type"],
            "usage_count": row["usage_count"],
            "tags": row["tags"],
            "created_at": row["created_at"],
        }

    async def _detail(self, row: Record) -> dict[str, Any]:
        samples = (row["artworks"] or [])[:SAMPLES] if row["show_samples"] else []
        images = picture_urls(row["profile_image"], self._blobs)
        artist = StyleDetailArtist(
            row["artist_id"],
            row["username"],
            row["artist_name"],
            original(images),
            images,
            row["follower_count"],
        )
        return {
            **await self._card(row),
            "artist": artist,
            "valid_from": row["valid_from"],
            "valid_to": row["valid_to"],
            "is_active": row["is_active"],
            "version": row["version"],
            "updated_at": row["updated_at"],
            "stats": StyleStats(row["usage_count"], row["avg_likes"]),
            "sample_artworks": [
                await self._sample(sample, sample["sample_key"]) for sample in samples if sample["sample_key"]
            ],
            "progress": training_progress(row),
        }

    async def _sample(self, artwork: dict[str, Any], key: str) -> SampleArtwork:
        images = await _signed_urls(key, self._blobs)
        return SampleArtwork(artwork["id"], images.original, images, artwork["tags"])


async def artwork_views(artworks: list[dict[str, Any]] | None, blobs: BlobStore) -> list[ArtworkView]:
    return [
        ArtworkView(
            id=artwork["id"],
            image_url=await blobs.signed_url(artwork["key"]),
            caption=artwork["caption"],
            tags=artwork["tags"],
            width=artwork["width"],
            height=artwork["height"],
        )
        for artwork in artworks or []
    ]


async def thumbnail_urls(key: str | None, blobs: BlobStore) -> ImageUrls | None:
    if not key:
        return None
    return public_urls(key, blobs) if key.startswith(PUBLIC_PREFIX) else await _signed_urls(key, blobs)


def rights_view(row: Record) -> RightsView:
    return RightsView(row["artist_id"], row["rights_affirmed_at"], row["rights_explicit"], row["rights_version"])


def checking(row: Record) -> CheckingProgress | None:
    check = row["checking"]
    return check and checking_progress(check["passed"], check["files"], datetime.fromisoformat(check["at"]))


async def _signed_urls(key: str, blobs: BlobStore) -> ImageUrls:
    """Of a sample, in all sizes; signed concurrently, because a store may ask another service for each signature."""
    return image_urls(*await asyncio.gather(*(blobs.signed_url(one) for one in (key, *derivatives_of(key)))))
