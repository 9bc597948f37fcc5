from datetime import datetime

import msgspec

from adapters.postgres.changes import CHANNEL
from adapters.postgres.pool import Record
from adapters.postgres.statements import BatchedStatement, inputs
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Row, Write, assignments, flattened, insert
from core.generations.errors import GenerationNotFound
from core.generations.model import AspectRatio, Generation, GenerationProgress, Status
from core.generations.repository import Generations
from core.identifiers import GenerationId, StyleId, TaskId, UserId
from core.ports import changes
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
    "style_version",
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
# The payers too: blocks that share a transaction write to their wallets by several statements, which lock in no common
# order.
LOCK = BatchedStatement(f"""
WITH locked AS MATERIALIZED (
    SELECT place, {", ".join(COLUMNS)}
    FROM generations JOIN {inputs({"id": "bigint"})} USING (id)
    ORDER BY id FOR NO KEY UPDATE OF generations
),
payers AS MATERIALIZED (
    SELECT FROM accounts WHERE kind = 'wallet' AND owner_id IN (SELECT owner_id FROM locked)
    ORDER BY id FOR NO KEY UPDATE
)
SELECT locked.* FROM locked, (SELECT count(*) FROM payers) locked_payers
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

# The most frequent write, so the entity is not read first: the rule for which progress counts is here, as the port
# promises it (Generations.advance), and in no entity. The rule is about the locked rows, so that the planner cannot
# look for those among all generations that have not ended.
ADVANCED = {
    "id": "bigint",
    "step": "bigint",
    "steps": "bigint",
    "percent": "float8",
    "seconds": "bigint",
    "at": "timestamptz",
}
ADVANCE = BatchedStatement(f"""
WITH input AS (SELECT * FROM {inputs(ADVANCED)}),
furthest AS MATERIALIZED (SELECT DISTINCT ON (id) * FROM input ORDER BY id, step DESC, place),
locked AS MATERIALIZED (
    SELECT id, status, ended_at, current_step FROM generations JOIN furthest USING (id)
    ORDER BY id FOR NO KEY UPDATE OF generations
),
advanced AS (
    UPDATE generations SET status = 'processing', current_step = step, total_steps = steps, progress_percent = percent,
        estimated_seconds = seconds, progress_at = at, updated_at = at, attempt_failed_at = NULL
    FROM locked JOIN furthest USING (id)
    WHERE generations.id = locked.id AND locked.ended_at IS NULL
        AND (locked.current_step IS NULL OR locked.current_step < step)
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
        style_version=row["style_version"],
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
        progress=generation_progress(row),
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


def generation_progress(row: Record) -> GenerationProgress | None:
    if row["progress_at"] is None:
        return None
    return GenerationProgress(
        row["current_step"],
        row["total_steps"],
        row["progress_percent"],
        row["estimated_seconds"],
        row["progress_at"],
    )
