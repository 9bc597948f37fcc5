import asyncio
import time

from adapters.postgres.generations import generation_progress
from adapters.postgres.paging import Arguments, Keys, cut, fetch_page, limit, matching
from adapters.postgres.pool import Pool, Reads, Record
from adapters.postgres.statements import lookup
from core.accounts.pictures import picture_urls
from core.derivatives import ImageUrls, only_original, original, public_urls
from core.generations.errors import GenerationNotFound
from core.generations.model import Status
from core.generations.views import (
    LATEST,
    MAX_POSITION,
    FeedItem,
    FeedQuery,
    FeedSort,
    GenerationArtist,
    GenerationsReader,
    GenerationStyle,
    GenerationUser,
    GenerationView,
    GrantedLicense,
    QueuePlace,
    StatusFilter,
)
from core.identifiers import GenerationId, UserId
from core.paging import Page, PageRequest
from core.ports.blob_store import BlobStore

AHEAD = f"""
    CASE generations.status WHEN 'queued' THEN (
        SELECT count(*) FROM (
            SELECT FROM generations other
            WHERE other.status = 'queued' AND (other.created_at, other.id) < (generations.created_at, generations.id)
            LIMIT {MAX_POSITION}
        ) counted
    ) END AS ahead
"""
QUICKEST = f"""
    SELECT min(ended_at - created_at) FROM (
        SELECT ended_at, created_at FROM generations WHERE status = 'completed' ORDER BY ended_at DESC LIMIT {LATEST}
    ) latest
"""
QUEUE = f"""
SELECT ({QUICKEST}) AS quickest,
    (SELECT count(*) FROM (SELECT FROM generations WHERE status = 'queued' LIMIT {MAX_POSITION}) counted) AS waiting
"""
CACHE_SECONDS = 1.0
"""Seconds for which the length of the queue is cached."""

SHOWN = """
    generations.id, generations.owner_id, users.username, users.profile_image, generations.style_id, style_version,
    styles.name AS style_name, generations.artist_id, artist_name, generations.aspect_ratio,
    generations.description, generations.prompt_tags, generations.public_key, generations.like_count,
    generations.comment_count, generations.created_at
"""
"""Columns common to FeedItem and GenerationView."""
PARTS = """
    JOIN users ON users.id = generations.owner_id
    JOIN styles ON styles.id = generations.style_id
    JOIN artists ON artists.user_id = generations.artist_id
"""


def _view(viewer: str) -> str:
    """The columns of a GenerationView; `viewer` is who looks at it."""
    return f"""
    {SHOWN}, generations.status, consumed_tokens, generations.license_type, license_version, seed, result_key,
    current_step, generations.total_steps, generations.progress_percent, generations.estimated_seconds,
    generations.progress_at, generations.failure_message, generations.updated_at, {AHEAD},
    CASE generations.status WHEN 'queued' THEN ({QUICKEST}) END AS quickest,
    EXISTS (SELECT FROM likes WHERE user_id = {viewer} AND generation_id = generations.id) AS is_liked
"""


DETAIL = lookup(
    {"viewer": "bigint", "generation_id": "bigint"},
    f"""
SELECT {_view("input.viewer")} FROM generations {PARTS}
WHERE generations.id = input.generation_id
    AND (generations.owner_id = input.viewer OR generations.public_key IS NOT NULL)
""",
)

STATUSES = {
    StatusFilter.QUEUED: "status = 'queued'",
    StatusFilter.PROCESSING: "status IN ('processing', 'retrying')",
    StatusFilter.COMPLETED: "status = 'completed'",
    StatusFilter.FAILED: "status IN ('failed', 'cancelled')",
}


def _feed(query: FeedQuery, viewer: UserId | None, page: PageRequest, arguments: Arguments) -> tuple[str, str]:
    """The SELECT of a page, and the order of its rows.

    Selects the page first, then joins what belongs to its rows; inactive filters are left out.
    """
    keys = Keys("like_count" if query.sort is FeedSort.POPULAR else None)
    shown_to = arguments.add(viewer)
    conditions = f"public_key IS NOT NULL AND {keys.after(page, arguments)}"
    if query.user_id is not None:
        conditions += f" AND owner_id = {arguments.add(query.user_id)}"
    if query.style_id is not None:
        conditions += f" AND style_id = {arguments.add(query.style_id)}"
    tagged = f"prompt_tags @> {arguments.add(query.tags)}" if query.tags else "true"
    if query.followed_by is not None:
        follower = arguments.add(query.followed_by)
        found = _of_followed(f"{conditions} AND {tagged}", keys, page, follower=follower)
    elif query.tags:
        found = matching("generations", rows=conditions, filter=tagged, keys=keys, page=page)
    else:
        found = f"SELECT * FROM generations WHERE {conditions} ORDER BY {keys.order()} {limit(page)}"
    sql = f"""
    SELECT {SHOWN}, {keys.rank} AS rank,
        EXISTS (SELECT FROM likes WHERE user_id = {shown_to} AND generation_id = generations.id) AS is_liked
    FROM ({found}) generations {PARTS}
    """
    return sql, keys.of_page()


def _of_followed(conditions: str, keys: Keys, page: PageRequest, *, follower: str) -> str:
    """Per followed user one image decides who is on the page, then at most a page of each of those is read."""
    made_by_one = f"SELECT * FROM generations WHERE {conditions} AND owner_id = followed_id ORDER BY {keys.order()}"
    return f"""
        SELECT made.*
        FROM (
            SELECT followed_id FROM follows CROSS JOIN LATERAL ({made_by_one} LIMIT 1) made
            WHERE follower_id = {follower} ORDER BY {keys.order("made")} {limit(page)}
        ) maker
        CROSS JOIN LATERAL ({made_by_one} {limit(page)}) made
        ORDER BY {keys.order("made")} {limit(page)}
    """


def _own(status: StatusFilter, is_public: bool | None, page: PageRequest, arguments: Arguments) -> str:
    keys = Keys()
    conditions = f"owner_id = $1 AND {keys.after(page, arguments)}"
    if status is not StatusFilter.ALL:
        conditions += f" AND {STATUSES[status]}"
    if is_public is not None:
        conditions += f" AND public_key IS {'NOT NULL' if is_public else 'NULL'}"
    return f"""
    SELECT {_view("$1")}
    FROM (
        SELECT * FROM generations WHERE {conditions} ORDER BY {keys.order()} {limit(page)}
    ) generations {PARTS}
    ORDER BY {keys.order("generations")}
    """


class QueueLength:
    """The length of the queue, cached for CACHE_SECONDS seconds per process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._last: QueuePlace | None = None
        self._stale_at = 0.0
        self._reading = asyncio.Lock()

    async def last(self) -> QueuePlace:
        """The last place in the queue."""
        async with self._reading:
            if self._last is None or time.monotonic() >= self._stale_at:
                [row] = await self._pool.fetch(QUEUE)
                self._last = QueuePlace.at(row["waiting"], quickest=row["quickest"])
                self._stale_at = time.monotonic() + CACHE_SECONDS
            return self._last


class PostgresGenerationsReader(GenerationsReader):
    def __init__(self, reads: Reads, blobs: BlobStore, queue: QueueLength) -> None:
        self._reads = reads
        self._blobs = blobs
        self._queue = queue

    async def detail(self, generation_id: GenerationId, *, viewer: UserId | None) -> GenerationView:
        row = await self._reads.row(DETAIL, viewer, generation_id)
        if row is None:
            raise GenerationNotFound
        return await self._view(row, viewer)

    async def feed(self, query: FeedQuery, *, viewer: UserId | None, page: PageRequest) -> Page[FeedItem]:
        # Pages by tags or of followed users may take long to find: they must not delay those of other callers.
        arguments = Arguments(together=not query.tags and query.followed_by is None)
        sql, order = _feed(query, viewer, page, arguments)
        rows, following = cut(await fetch_page(self._reads, sql, order, arguments), page)
        return Page([self._item(row) for row in rows], following)

    async def list_own(
        self, owner_id: UserId, *, status: StatusFilter, is_public: bool | None, page: PageRequest
    ) -> Page[GenerationView]:
        arguments = Arguments([owner_id])
        sql = _own(status, is_public, page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([await self._view(row, owner_id) for row in rows], following)

    async def last_in_queue(self) -> QueuePlace:
        return await self._queue.last()

    async def _view(self, row: Record, viewer: UserId | None) -> GenerationView:
        status = Status(row["status"])
        images = await image_urls(row, viewer, self._blobs)
        return GenerationView(
            id=row["id"],
            user_id=row["owner_id"],
            user=self._user(row),
            style=_style(row),
            status=status.value,
            consumed_tokens=row["consumed_tokens"],
            license=GrantedLicense(row["license_type"], row["license_version"]),
            aspect_ratio=row["aspect_ratio"],
            seed=row["seed"],
            tags=row["prompt_tags"],
            description=row["description"],
            is_public=row["public_key"] is not None,
            like_count=row["like_count"],
            comment_count=row["comment_count"],
            is_liked=row["is_liked"],
            result_url=original(images),
            images=images,
            progress=generation_progress(row),
            queue=QueuePlace.at(row["ahead"] + 1, quickest=row["quickest"]) if status is Status.QUEUED else None,
            error_message=row["failure_message"] if status in (Status.FAILED, Status.CANCELLED) else None,
            refunded=status in (Status.FAILED, Status.CANCELLED),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    def _item(self, row: Record) -> FeedItem:
        images = public_urls(row["public_key"], self._blobs)
        return FeedItem(
            id=row["id"],
            user=self._user(row),
            style=_style(row),
            result_url=images.original,
            images=images,
            description=row["description"],
            aspect_ratio=row["aspect_ratio"],
            like_count=row["like_count"],
            comment_count=row["comment_count"],
            is_liked=row["is_liked"],
            tags=row["prompt_tags"],
            created_at=row["created_at"],
        )

    def _user(self, row: Record) -> GenerationUser:
        images = picture_urls(row["profile_image"], self._blobs)
        return GenerationUser(row["owner_id"], row["username"], original(images), images)


async def image_urls(row: Record, viewer: UserId | None, blobs: BlobStore) -> ImageUrls | None:
    """The plain URLs while the image is public, else a signed one for its owner."""
    if row["public_key"] is not None:
        return public_urls(row["public_key"], blobs)
    if row["result_key"] is not None and row["owner_id"] == viewer:
        return only_original(await blobs.signed_url(row["result_key"]))
    return None


def _style(row: Record) -> GenerationStyle:
    return GenerationStyle(
        row["style_id"],
        row["style_name"],
        row["style_version"],
        GenerationArtist(row["artist_id"], row["artist_name"]),
    )
