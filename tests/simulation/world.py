import inspect
from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import timedelta
from random import Random
from types import TracebackType
from typing import Any, Self, cast
from uuid import UUID

from dishka import Container, Provider
from dishka import Scope as Lifetime

from adapters.memory.accounts import followers
from adapters.memory.community import MemoryFollows, MemoryLikes
from adapters.memory.database import MemoryDatabase
from adapters.memory.generations import likes
from adapters.memory.ids import MemoryIds
from adapters.memory.transaction import MemoryTransaction
from core.community.repository import Follows, Likes
from core.identifiers import GenerationId, TaskId, UserId
from core.ports.idempotency import Answer, Call, IdempotentCall
from core.ports.transaction import OutcomeUnknown, Transaction
from core.tokens.model import PayoutTerms, PlatformFee
from entrypoints.container.memory import memory
from tests.simulation.faults import Faults
from tests.simulation.scheduler import turn
from tests.simulation.tracked_table import track
from tests.simulation.violation import Violation
from tests.support.memory_world import MemoryWorld
from tests.support.scope import Readers, Scope
from tests.support.wiring import parts_over

CONNECTION_LOST = 0.005
FEES = (0, 7, 15, 100)
"""Percent."""
PAYOUT_DELAYS = (timedelta(), timedelta(seconds=5), timedelta(seconds=5), timedelta(days=14))
PAYOUT_MINIMA = (1, 5)
"""Tokens."""


class SimulatedWorld(MemoryWorld):
    """The memory adapters, with a turn before every call of theirs and after every commit."""

    def __init__(self, random: Random) -> None:
        self.faults = Faults(random)
        super().__init__(parts_over(stepping_memory, Faults), {Faults: self.faults})
        track(self.database.tables)
        self.ids = RepeatableIds(self.database, random)
        self.fee = PlatformFee(random.choice(FEES))
        self.payouts = PayoutTerms(random.choice(PAYOUT_DELAYS), random.choice(PAYOUT_MINIMA))

    def ports(self) -> dict[str, object]:
        """Ports that do not take part in the transaction."""
        return {
            "ids": stepping(self.ids, "ids"),
            "blobs": stepping(self.blobs, "blobs"),
            "reader": stepping(self.read.generations, "reader"),
        }


def stepping_memory() -> Provider:
    """The wiring of the memory adapters, with a turn before every call of a port that joins the transaction."""
    provider = memory()
    provider.provide(ExactLikes, provides=Likes, scope=Lifetime.REQUEST, override=True)
    provider.provide(ExactFollows, provides=Follows, scope=Lifetime.REQUEST, override=True)
    provider.decorate(SteppingTransaction, provides=Transaction)
    provider.decorate(SteppingCall, provides=IdempotentCall)
    for port in fields(Scope):
        if port.type not in {Transaction, IdempotentCall, Container, Readers}:
            provider.decorate(_stepping_port(port.type, port.name), provides=port.type)
    return provider


def _stepping_port(kind: Any, name: str) -> Callable[[Any], Any]:
    def port(real: Any) -> Any:
        return stepping(real, name)

    port.__annotations__ = {"real": kind, "return": kind}
    return port


class SteppingTransaction(Transaction):
    """Commits after a turn and answers after another. The connection may be lost before or after the commit."""

    def __init__(self, real: Transaction, faults: Faults) -> None:
        self.real = cast("MemoryTransaction", real)
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
    def is_open(self) -> bool:
        return self._real.is_open

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
    """A returned count is true at the commit of its block."""

    async def count(self, generation_id: GenerationId) -> int:
        counter = await super().count(generation_id)
        self._transaction.after_commit(
            lambda: exact("likes", counter, likes(self._transaction.database.tables, generation_id))
        )
        return counter


class ExactFollows(MemoryFollows):
    """The same for followers."""

    async def count(self, followed: UserId) -> int:
        counter = await super().count(followed)
        self._transaction.after_commit(
            lambda: exact("followers", counter, followers(self._transaction.database.tables, followed))
        )
        return counter


def exact(what: str, counter: int, counted: int) -> None:
    if counter != counted:
        raise Violation(f"the counter says {counter} {what}, but there are {counted}")


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
"""The name of a call in the trace; empty if it does not wait."""


def _after_turn(step: str, found: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    async def call(*args: object, **kwargs: object) -> object:
        await turn(step)
        return await found(*args, **kwargs)

    return call
