from types import TracebackType
from typing import Self

import asyncpg

from adapters.postgres.connections import ConnectionLost
from adapters.postgres.errors import REFUSALS
from adapters.postgres.pool import OpenTransaction, Pool, Record
from adapters.postgres.unit_of_work import Deferral, UnitOfWork
from core.ports.clock import Clock
from core.ports.idempotency import KEPT, AlreadyAnswered, Answer, Answers, Call, IdempotencyKeyReused, IdempotentCall
from core.ports.transaction import OutcomeUnknown

CLAIM = """
INSERT INTO idempotency_keys AS kept (user_id, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, key) DO UPDATE SET
    fingerprint = $3, created_at = $4, status = NULL, headers = NULL, body = NULL
WHERE kept.created_at <= $5
RETURNING key
"""
"""Waits for a call that has claimed the key and has not ended yet."""
FIND = """
SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND created_at > $3
"""
ANSWER = "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5 WHERE user_id = $1 AND key = $2"
PURGE = """
WITH old AS MATERIALIZED (
    SELECT user_id, key FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys USING old
WHERE idempotency_keys.user_id = old.user_id AND idempotency_keys.key = old.key
RETURNING idempotency_keys.key
"""


class PostgresAnswers(Answers):
    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def purge(self, *, limit: int) -> int:
        return len(await self._pool.fetch(PURGE, self._clock.now() - KEPT, limit))


class PostgresIdempotentCall(IdempotentCall):
    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._call: Call | None = None

    @property
    def is_open(self) -> bool:
        return self._unit.deferral is not None

    async def begin(self, call: Call) -> None:
        self._call = call
        _check(await self._unit.fetchrow(FIND, call.user_id, call.key, call.at - KEPT), call)
        self._unit.deferral = Deferral(self._claim)

    async def refuse(self) -> None:
        call, _ = self._deferred
        await self._roll_back()
        await self.begin(call)

    async def finish(self, answer: Answer) -> None:
        call, deferral = self._deferred
        transaction, deferral.transaction = deferral.transaction, None
        claimed = transaction is not None
        if transaction is None:
            transaction = await self._unit.begin()
        try:
            if not claimed:
                await self._claim(transaction)
            await transaction.fetch(ANSWER, call.user_id, call.key, answer.status, answer.headers, answer.body)
        except BaseException:
            await transaction.rollback()
            raise
        try:
            await transaction.commit()
        except ConnectionLost as error:
            raise OutcomeUnknown from error
        self._unit.deferral = None
        self._unit.committed = True
        for callback in deferral.callbacks:
            callback()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._roll_back()

    async def _roll_back(self) -> None:
        deferral, self._unit.deferral = self._unit.deferral, None
        if deferral is not None and deferral.transaction is not None:
            await deferral.transaction.rollback()

    async def _claim(self, transaction: OpenTransaction) -> None:
        call = self._known
        while not await self._claimed(transaction, call):
            rows = await transaction.fetch(FIND, call.user_id, call.key, call.at - KEPT)
            _check(rows[0] if rows else None, call)  # no row: purged between the two statements

    async def _claimed(self, transaction: OpenTransaction, call: Call) -> bool:
        try:
            return bool(
                await transaction.fetch(CLAIM, call.user_id, call.key, call.fingerprint, call.at, call.at - KEPT)
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise REFUSALS[error.constraint_name or ""] from error

    @property
    def _known(self) -> Call:
        if self._call is None:
            raise RuntimeError("no call has begun")
        return self._call

    @property
    def _deferred(self) -> tuple[Call, Deferral]:
        if self._unit.deferral is None:
            raise RuntimeError("no call has begun")
        return self._known, self._unit.deferral


def _check(row: Record | None, call: Call) -> None:
    """Raises if the key was used already."""
    if row is None:
        return
    if row["fingerprint"] != call.fingerprint:
        raise IdempotencyKeyReused
    raise AlreadyAnswered(Answer(row["status"], row["headers"], row["body"]))
