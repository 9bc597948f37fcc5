import inspect
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from random import Random
from types import TracebackType
from typing import Any, Self, cast
from uuid import UUID

from adapters.memory.accounts import followers
from adapters.memory.community import MemoryFollows, MemoryLikes
from adapters.memory.database import MemoryDatabase
from adapters.memory.generations import likes
from adapters.memory.ids import MemoryIds
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import GenerationId, TaskId, UserId
from core.ports.idempotency import Answer, Call, IdempotentCall
from core.ports.transaction import OutcomeUnknown, Transaction
from core.tokens.model import PlatformFee
from tests.simulation.broken import Broken
from tests.simulation.faults import Faults
from tests.simulation.scheduler import turn
from tests.simulation.watched import watch
from tests.support.world import MemoryWorld, Scope

CONNECTION_LOST = 0.005
FEES = (0, 7, 15, 100)
"""Percent."""


class SimulatedWorld(MemoryWorld):
    """The memory adapters, with a turn before every call of theirs and after every commit."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.faults = Faults(random)
        watch(self.database.tables)
        self.ids = RepeatableIds(self.database, random)
        self.fee = PlatformFee(random.choice(FEES))

    def ports(self) -> dict[str, object]:
        """What is no part of the transaction."""
        return {
            "ids": stepping(self.ids, "ids"),
            "blobs": stepping(self.blobs, "blobs"),
            "places": stepping(self.read.generations, "places"),
        }

    def scope(self) -> Scope:
        scope = super().scope()
        real = cast("MemoryTransaction", scope.transaction)
        scope = replace(scope, likes=ExactLikes(real), follows=ExactFollows(real))
        names = [port.name for port in fields(Scope) if port.name not in {"transaction", "call", "read"}]
        transaction, call = SteppingTransaction(real, self.faults), SteppingCall(scope.call, self.faults)
        return replace(
            scope, transaction=transaction, call=call, **{name: stepping(getattr(scope, name), name) for name in names}
        )


class SteppingTransaction(Transaction):
    """Commits after a turn and answers after another. The connection may be lost before or after the commit."""

    def __init__(self, real: MemoryTransaction, faults: Faults) -> None:
        self.real = real
        self._faults = faults

    async def __aenter__(self) -> Self:
        await turn("begin")
        await self.real.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await self.real.__aexit__(kind, error, trace)
            return
        try:
            await turn("commit")
            lose_connection(self._faults)
        except BaseException as crash:
            await self.real.__aexit__(type(crash), crash, crash.__traceback__)
            raise
        await self.real.__aexit__(None, None, None)
        await turn("answer of the commit")
        lose_connection(self._faults)


class SteppingCall(IdempotentCall):
    """Begins and ends after a turn. The connection may be lost before or after the commit."""

    def __init__(self, real: IdempotentCall, faults: Faults) -> None:
        self._real = real
        self._faults = faults

    @property
    def begun(self) -> bool:
        return self._real.begun

    async def __aenter__(self) -> Self:
        await self._real.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._real.__aexit__(kind, error, trace)

    async def begin(self, call: Call) -> None:
        await turn("call.begin")
        await self._real.begin(call)

    async def refuse(self) -> None:
        await turn("call.refuse")
        await self._real.refuse()

    async def finish(self, answer: Answer) -> None:
        await turn("commit with the answer")
        lose_connection(self._faults)
        await self._real.finish(answer)
        await turn("answer of the commit")
        lose_connection(self._faults)


def lose_connection(faults: Faults) -> None:
    if faults.strike(CONNECTION_LOST):
        raise OutcomeUnknown


class ExactLikes(MemoryLikes):
    """Whoever is told a count is told what is true when the block has been committed."""

    async def count(self, generation_id: GenerationId) -> int:
        told = await super().count(generation_id)
        self._transaction.after_commit(
            lambda: exact("likes", told, likes(self._transaction.database.tables, generation_id))
        )
        return told


class ExactFollows(MemoryFollows):
    """The same for followers."""

    async def count(self, followed: UserId) -> int:
        told = await super().count(followed)
        self._transaction.after_commit(
            lambda: exact("followers", told, followers(self._transaction.database.tables, followed))
        )
        return told


def exact(what: str, told: int, counted: int) -> None:
    if told != counted:
        raise Broken(f"somebody was told of {told} {what}, but there are {counted}")


class RepeatableIds(MemoryIds):
    def __init__(self, database: MemoryDatabase, random: Random) -> None:
        super().__init__(database)
        self._random = random

    def task(self) -> TaskId:
        return TaskId(str(UUID(int=self._random.getrandbits(128), version=4)))


def stepping(port: object, name: str) -> Any:
    return _Stepping(port, name)


class _Stepping:
    """A port with a turn before every call."""

    __slots__ = ("_name", "_port")

    def __init__(self, port: object, name: str) -> None:
        self._port = port
        self._name = name

    def __getattr__(self, method: str) -> object:
        found = getattr(self._port, method)
        step = _STEPS.get((type(self._port), method))
        if step is None:
            step = f"{self._name}.{method}" if inspect.iscoroutinefunction(found) else ""
            _STEPS[type(self._port), method] = step
        return _after_turn(step, cast("Callable[..., Awaitable[object]]", found)) if step else found


_STEPS: dict[tuple[type, str], str] = {}
"""What a call is known by; nothing where it does not wait."""


def _after_turn(step: str, found: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    async def call(*args: object, **kwargs: object) -> object:
        await turn(step)
        return await found(*args, **kwargs)

    return call
