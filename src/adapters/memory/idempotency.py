from types import TracebackType
from typing import Self

from adapters.memory.accounts import kept
from adapters.memory.database import Block, Deferral, MemoryDatabase, UnitOfWork
from adapters.memory.tables import KeptAnswer, Tables
from core.ports.clock import Clock
from core.ports.idempotency import KEPT, AlreadyAnswered, Answer, Answers, Call, IdempotencyKeyReused, IdempotentCall


class MemoryAnswers(Answers):
    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def purge(self, *, limit: int) -> int:
        now = self._clock.now()
        answers = self._database.committed.answers
        old = [key for key, known in answers.items() if known.call.at <= now - KEPT][:limit]
        for key in old:
            del answers[key]
        return len(old)


class MemoryIdempotentCall(IdempotentCall):
    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._call: Call | None = None

    @property
    def is_open(self) -> bool:
        return self._unit.deferral is not None

    async def begin(self, call: Call) -> None:
        self._call = call
        self._check()
        self._unit.deferral = Deferral(self._claim)

    async def refuse(self) -> None:
        self._roll_back()
        await self.begin(self._known)

    async def finish(self, answer: Answer) -> None:
        call, deferral, database = self._known, self._unit.deferral, self._unit.database
        if deferral is None:
            raise RuntimeError("no call has begun")
        block = deferral.take() or Block(database.committed.overlaid())

        def keep(tables: Tables) -> None:
            kept(tables, call.user_id)
            tables.answers[call.user_id, call.key] = KeptAnswer(call, answer)

        try:
            await deferral.prepare(block)
            database.apply([*block.operations, keep])
        finally:
            block.release(database)
        self._unit.deferral, self._unit.committed = None, True
        for callback in block.callbacks:
            callback()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._roll_back()

    def _roll_back(self) -> None:
        deferral, self._unit.deferral = self._unit.deferral, None
        if deferral and (block := deferral.take()):
            block.release(self._unit.database)

    async def _claim(self, block: Block) -> None:
        call, database = self._known, self._unit.database
        row = ("idempotency key", call.user_id, call.key)
        if row not in block.locked:
            await database.locks.acquire(row)
            block.locked.append(row)
            kept(database.committed, call.user_id)
            self._check()

    def _check(self) -> None:
        """Raises if the key was used already."""
        call = self._known
        known = self._unit.tables.answers.get((call.user_id, call.key))
        if known is None or known.call.at <= call.at - KEPT:
            return
        if known.call.fingerprint != call.fingerprint:
            raise IdempotencyKeyReused
        raise AlreadyAnswered(known.answer)

    @property
    def _known(self) -> Call:
        if self._call is None:
            raise RuntimeError("no call has begun")
        return self._call
