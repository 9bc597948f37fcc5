from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.memory.accounts import kept
from adapters.memory.database import TOGETHER, Block, MemoryDatabase, Together
from adapters.memory.tables import KeptAnswer, Tables
from core.ports.clock import Clock
from core.ports.idempotency import KEPT, AlreadyAnswered, Answer, Call, Idempotency, IdempotencyKeyReused, Once


class MemoryIdempotency(Idempotency):
    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def once(self) -> AsyncIterator[Once]:
        once = MemoryOnce(self._database)
        try:
            yield once
        finally:
            TOGETHER.set(None)
            once.roll_back()

    async def forget(self, *, limit: int) -> int:
        now = self._clock.now()
        answers = self._database.tables.answers
        old = [key for key, known in answers.items() if known.call.at <= now - KEPT][:limit]
        for key in old:
            del answers[key]
        return len(old)


class MemoryOnce(Once):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._call: Call | None = None
        self._together = Together(self._claim)

    async def begin(self, call: Call) -> None:
        self._call = call
        self._judge()
        TOGETHER.set(self._together)

    async def refuse(self) -> None:
        self.roll_back()
        await self.begin(self._begun)

    async def finish(self, answer: Answer) -> None:
        call = self._begun
        block = self._together.take() or Block(self._database.tables.overlaid())

        def keep(tables: Tables) -> None:
            kept(tables, call.user_id)
            tables.answers[call.user_id, call.key] = KeptAnswer(call, answer)

        try:
            await self._together.prepare(block)
            self._database.apply([*block.operations, keep])
        finally:
            block.release(self._database)
        for callback in block.callbacks:
            callback()

    def roll_back(self) -> None:
        if block := self._together.take():
            block.release(self._database)

    async def _claim(self, block: Block) -> None:
        row = ("idempotency key", self._begun.user_id, self._begun.key)
        if row not in block.locked:
            await self._database.locks.acquire(row)
            block.locked.append(row)
            kept(self._database.committed, self._begun.user_id)
            self._judge()

    def _judge(self) -> None:
        call = self._begun
        known = self._database.tables.answers.get((call.user_id, call.key))
        if known is None or known.call.at <= call.at - KEPT:
            return
        if known.call.fingerprint != call.fingerprint:
            raise IdempotencyKeyReused
        raise AlreadyAnswered(known.answer)

    @property
    def _begun(self) -> Call:
        if self._call is None:
            raise RuntimeError("no call has begun")
        return self._call
