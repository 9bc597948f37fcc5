import asyncio
import time
from datetime import datetime

import msgspec

from adapters.postgres.accounts import picture_url
from adapters.postgres.changes import CHANNEL
from adapters.postgres.paging import Arguments, Keys, cut, limit, matching
from adapters.postgres.pool import Pool, Reads, Record
from adapters.postgres.statements import BatchedStatement, lookup
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Row, Write, assignments, flattened, insert
from core.generations.errors import GenerationNotFound
from core.generations.model import AspectRatio, Generation, GenerationProgress, Status
from core.generations.repository import Generations
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
from core.identifiers import GenerationId, StyleId, TaskId, UserId
from core.paging import Page, PageRequest
from core.ports import changes
from core.ports.blob_store import BlobStore
from core.styles.model import License
from core.tasks.outcome import Failure, Outcome

FIXED = (
    "id",
    "owner_id",
    "style_id",
    "artist_id",
    "consumed_tokens",
    "license_type",
    "license_version",
    "hold_id",
    "aspect_ratio",
    "seed",
    "prompt_tags",
    "created_at",
)
CHANGING = (
    "description",
    "task_id",
    "status",
    "attempt",
    "current_step",
    "total_steps",
    "progress_percent",
    "estimated_seconds",
    "progress_at",
    "result_key",
    "public_key",
    "failure_code",
    "failure_message",
    "metadata",
    "updated_at",
    "ended_at",
    "due_at",
    "fee_tokens",
    "attempt_failed_at",
    "hidden",
)
COLUMNS = (*FIXED, *CHANGING)
GENERATION = f"SELECT {', '.join(COLUMNS)} FROM generations"
LOCK = BatchedStatement(f"""
SELECT place, {", ".join(COLUMNS)}
FROM generations JOIN unnest($1::bigint[]) WITH ORDINALITY AS input (id, place) USING (id)
ORDER BY id FOR NO KEY UPDATE OF generations
""")
# `tokens` are Generation.earned_tokens: the row has the price and the fee.
SAVE_GENERATION = Write(
    target="generations",
    columns="generations",
    ctes=f"""
        before AS MATERIALIZED (
            SELECT generations.id, generations.status FROM generations JOIN input_generations input USING (id)
            ORDER BY id FOR NO KEY UPDATE OF generations
        ),
        saved_generation AS (
            UPDATE generations SET {assignments(CHANGING, "input")}
            FROM input_generations input JOIN before USING (id) WHERE generations.id = input.id
            RETURNING generations.id, generations.style_id, generations.status, before.status AS status_before,
                generations.consumed_tokens - generations.fee_tokens AS tokens
        ),
        used AS (
            INSERT INTO style_uses (style_id, generation_id, tokens)
            SELECT style_id, id, tokens FROM saved_generation
            WHERE status = 'completed' AND status_before <> 'completed'
        )""",
    finds="saved_generation",
    rule="generation_found",
)

# The most frequent write does without reading the entity first: which progress counts is said here, by the port
# (Generations.advance), and by no entity.
ADVANCE = BatchedStatement("""
WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::float8[], $5::bigint[], $6::timestamptz[])
        WITH ORDINALITY AS input (id, step, steps, percent, seconds, at, place)
),
furthest AS MATERIALIZED (SELECT DISTINCT ON (id) * FROM input ORDER BY id, step DESC, place),
locked AS MATERIALIZED (
    SELECT id, status FROM generations JOIN furthest USING (id) ORDER BY id FOR NO KEY UPDATE OF generations
),
advanced AS (
    UPDATE generations SET status = 'processing', current_step = step, total_steps = steps, progress_percent = percent,
        estimated_seconds = seconds, progress_at = at, updated_at = at, attempt_failed_at = NULL
    FROM locked JOIN furthest USING (id)
    WHERE generations.id = locked.id AND ended_at IS NULL AND (current_step IS NULL OR current_step < step)
    RETURNING generations.id, generations.status, place
)
SELECT input.place, coalesce(advanced.status, locked.status) AS status,
    coalesce(advanced.place = input.place, false) AS applied
FROM input JOIN locked USING (id) LEFT JOIN advanced USING (id)
""")

# These find candidates: FailGeneration decides by the entity, under its lock.
QUEUED_WITH = "SELECT id FROM generations WHERE status = 'queued' AND style_id = $1 ORDER BY created_at, id LIMIT $2"
PUBLISHED_WITH = """
SELECT id FROM generations WHERE public_key IS NOT NULL AND style_id = $1 ORDER BY created_at, id LIMIT $2
"""

RESTART_TIME_OUTS = """
WITH unpublished AS MATERIALIZED (
    SELECT id FROM generations JOIN outbox USING (task_id)
    WHERE ended_at IS NULL AND generations.created_at <= $1 AND coalesce(progress_at, due_at, created_at) <= $1
    FOR NO KEY UPDATE OF generations SKIP LOCKED
)
UPDATE generations SET due_at = $2 FROM unpublished WHERE generations.id = unpublished.id
"""
STALLED = """
SELECT id FROM generations
WHERE ended_at IS NULL AND created_at <= $1 AND coalesce(progress_at, due_at, created_at) <= $1
    AND attempt_failed_at IS NULL
ORDER BY created_at, id LIMIT $2
"""
"""Uses the index on the time of the request: an index on progress would make each progress update more expensive."""
UNRESUMED = """
SELECT id FROM generations WHERE attempt_failed_at <= $1 ORDER BY attempt_failed_at, id LIMIT $2
"""

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
    generations.id, generations.owner_id, users.username, users.profile_image, generations.style_id,
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


def _feed(query: FeedQuery, page: PageRequest, arguments: Arguments) -> str:
    """Selects the page first, then joins what belongs to its rows; inactive filters are left out."""
    keys = Keys("like_count" if query.sort is FeedSort.POPULAR else None)
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
    return f"""
    SELECT {SHOWN}, {keys.rank} AS rank,
        EXISTS (SELECT FROM likes WHERE user_id = $1 AND generation_id = generations.id) AS is_liked
    FROM ({found}) generations {PARTS}
    ORDER BY {keys.order("generations")}
    """


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


class PostgresGenerations(Generations):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        return await self._found("id = $1", generation_id, lock=lock)

    async def lock_to_end(self, generation_id: GenerationId) -> Generation:
        row = await self._transaction.locked_row(LOCK, generation_id)
        if row is None:
            raise GenerationNotFound
        return _generation({name: row[name] for name in COLUMNS})

    async def of_owner(self, owner_id: UserId, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        return await self._found("id = $1 AND owner_id = $2", generation_id, owner_id, lock=lock)

    async def _found(self, condition: str, *args: int, lock: bool) -> Generation:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(f"{GENERATION} WHERE {condition} {locking}", *args, lock=lock)
        if row is None:
            raise GenerationNotFound
        return _generation(row)

    async def add(self, generation: Generation) -> None:
        await self._transaction.write(insert("generations", COLUMNS), _row(generation))

    async def save(self, generation: Generation) -> None:
        await self._transaction.write(SAVE_GENERATION, _row(generation))
        self._transaction.notify_after_commit(changes.generation(generation.id))

    async def advance(self, generation_id: GenerationId, progress: GenerationProgress) -> Outcome:
        unit = self._transaction.unit
        row = await unit.row(ADVANCE, generation_id, *msgspec.structs.astuple(progress))
        if row is None:
            raise GenerationNotFound
        if row["applied"]:
            unit.pool.notifier.notify(CHANNEL, changes.generation(generation_id))
        return Outcome(applied=row["applied"], status=row["status"])

    async def queued_with(self, style_id: StyleId, *, limit: int) -> list[GenerationId]:
        return [row["id"] for row in await self._transaction.fetch(QUEUED_WITH, style_id, limit)]

    async def published_with(self, style_id: StyleId, *, limit: int) -> list[GenerationId]:
        return [row["id"] for row in await self._transaction.fetch(PUBLISHED_WITH, style_id, limit)]

    async def restart_time_outs(self, *, inactive_since: datetime, at: datetime) -> None:
        await self._transaction.fetch(RESTART_TIME_OUTS, inactive_since, at, lock=True)

    async def stalled(self, *, since: datetime, limit: int) -> list[GenerationId]:
        return [row["id"] for row in await self._transaction.fetch(STALLED, since, limit)]

    async def unresumed(self, *, since: datetime, limit: int) -> list[GenerationId]:
        return [row["id"] for row in await self._transaction.fetch(UNRESUMED, since, limit)]


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
        arguments = Arguments([viewer])
        sql = _feed(query, page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
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
            result_url=await image_url(row, viewer, self._blobs),
            progress=_progress(row),
            queue=QueuePlace.at(row["ahead"] + 1, quickest=row["quickest"]) if status is Status.QUEUED else None,
            error_message=row["failure_message"] if status in (Status.FAILED, Status.CANCELLED) else None,
            refunded=status in (Status.FAILED, Status.CANCELLED),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    def _item(self, row: Record) -> FeedItem:
        return FeedItem(
            id=row["id"],
            user=self._user(row),
            style=_style(row),
            result_url=self._blobs.public_url(row["public_key"]),
            description=row["description"],
            aspect_ratio=row["aspect_ratio"],
            like_count=row["like_count"],
            comment_count=row["comment_count"],
            is_liked=row["is_liked"],
            tags=row["prompt_tags"],
            created_at=row["created_at"],
        )

    def _user(self, row: Record) -> GenerationUser:
        return GenerationUser(row["owner_id"], row["username"], picture_url(row["profile_image"], self._blobs))


async def image_url(row: Record, viewer: UserId | None, blobs: BlobStore) -> str | None:
    """The plain URL while the image is public, else a signed one for its owner."""
    if row["public_key"] is not None:
        return blobs.public_url(row["public_key"])
    if row["result_key"] is not None and row["owner_id"] == viewer:
        return await blobs.signed_url(row["result_key"])
    return None


def _row(generation: Generation) -> Row:
    return flattened(msgspec.structs.asdict(generation))


def _generation(row: Record) -> Generation:
    return Generation(
        id=row["id"],
        owner_id=row["owner_id"],
        style_id=row["style_id"],
        artist_id=row["artist_id"],
        consumed_tokens=row["consumed_tokens"],
        license_type=License(row["license_type"]),
        license_version=row["license_version"],
        hold_id=row["hold_id"],
        aspect_ratio=AspectRatio(row["aspect_ratio"]),
        seed=row["seed"],
        prompt_tags=row["prompt_tags"],
        description=row["description"],
        task_id=TaskId(str(row["task_id"])),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        status=Status(row["status"]),
        attempt=row["attempt"],
        progress=_progress(row),
        result_key=row["result_key"],
        public_key=row["public_key"],
        failure=Failure(row["failure_code"], row["failure_message"]) if row["failure_code"] else None,
        metadata=row["metadata"],
        ended_at=row["ended_at"],
        due_at=row["due_at"],
        fee_tokens=row["fee_tokens"],
        attempt_failed_at=row["attempt_failed_at"],
        hidden=row["hidden"],
    )


def _progress(row: Record) -> GenerationProgress | None:
    if row["progress_at"] is None:
        return None
    return GenerationProgress(
        row["current_step"],
        row["total_steps"],
        row["progress_percent"],
        row["estimated_seconds"],
        row["progress_at"],
    )


def _style(row: Record) -> GenerationStyle:
    return GenerationStyle(row["style_id"], row["style_name"], GenerationArtist(row["artist_id"], row["artist_name"]))
