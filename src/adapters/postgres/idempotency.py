from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from adapters.postgres.connections import ConnectionLost
from adapters.postgres.errors import REFUSALS
from adapters.postgres.pool import TOGETHER, Begun, Pool, Record, Together
from core.ports.clock import Clock
from core.ports.idempotency import KEPT, AlreadyAnswered, Answer, Call, Idempotency, IdempotencyKeyReused, Once
from core.ports.transaction import OutcomeUnknown

CLAIM = """
INSERT INTO idempotency_keys AS kept (user_id, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, key) DO UPDATE SET
    fingerprint = $3, created_at = $4, status = NULL, headers = NULL, body = NULL
WHERE kept.created_at <= $5
RETURNING key
"""
"""Waits for whoever has claimed the key and not ended yet."""
FIND = """
SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND created_at > $3
"""
ANSWER = "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5 WHERE user_id = $1 AND key = $2"
FORGET = """
WITH old AS MATERIALIZED (
    SELECT user_id, key FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys USING old
WHERE idempotency_keys.user_id = old.user_id AND idempotency_keys.key = old.key
RETURNING idempotency_keys.key
"""


class PostgresIdempotency(Idempotency):
    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    @asynccontextmanager
    async def once(self) -> AsyncIterator[Once]:
        once = PostgresOnce(self._pool)
        try:
            yield once
        finally:
            TOGETHER.set(None)
            await once.roll_back()

    async def forget(self, *, limit: int) -> int:
        return len(await self._pool.fetch(FORGET, self._clock.now() - KEPT, limit))


class PostgresOnce(Once):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._call: Call | None = None
        self._together = Together(self._claim)

    async def begin(self, call: Call) -> None:
        self._call = call
        _judge(await self._pool.fetchrow(FIND, call.user_id, call.key, call.at - KEPT), call)
        TOGETHER.set(self._together)

    async def refuse(self) -> None:
        await self.roll_back()
        await self.begin(self._begun)

    async def finish(self, answer: Answer) -> None:
        call, together = self._begun, self._together
        begun = together.begun or await self._pool.begin()
        claimed, together.begun = together.begun is not None, None
        try:
            if not claimed:
                await self._claim(begun)
            await begun.fetch(ANSWER, call.user_id, call.key, answer.status, answer.headers, answer.body)
        except BaseException:
            await begun.rollback()
            raise
        try:
            await begun.commit()
        except ConnectionLost as error:
            raise OutcomeUnknown from error
        for callback in together.callbacks:
            callback()

    async def roll_back(self) -> None:
        begun, self._together.begun = self._together.begun, None
        self._together.callbacks.clear()
        if begun is not None:
            await begun.rollback()

    async def _claim(self, begun: Begun) -> None:
        call = self._begun
        while not await self._claimed(begun):
            rows = await begun.fetch(FIND, call.user_id, call.key, call.at - KEPT)
            _judge(rows[0] if rows else None, call)  # no row: it was forgotten between the two statements

    async def _claimed(self, begun: Begun) -> bool:
        call = self._begun
        try:
            return bool(await begun.fetch(CLAIM, call.user_id, call.key, call.fingerprint, call.at, call.at - KEPT))
        except asyncpg.ForeignKeyViolationError as error:
            raise REFUSALS[error.constraint_name or ""] from error

    @property
    def _begun(self) -> Call:
        if self._call is None:
            raise RuntimeError("no call has begun")
        return self._call


def _judge(row: Record | None, call: Call) -> None:
    if row is None:
        return
    if row["fingerprint"] != call.fingerprint:
        raise IdempotencyKeyReused
    raise AlreadyAnswered(Answer(row["status"], row["headers"], row["body"]))
