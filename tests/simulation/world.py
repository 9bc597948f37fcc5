import inspect
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from random import Random
from types import TracebackType
from typing import Any, Self, cast
from uuid import UUID

from adapters.memory.database import MemoryDatabase
from adapters.memory.ids import MemoryIds
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import TaskId
from core.ports.transaction import OutcomeUnknown, Transaction
from tests.simulation.faults import Faults
from tests.simulation.scheduler import turn
from tests.simulation.watched import watch
from tests.support.world import MemoryWorld, Scope

CONNECTION_LOST = 0.005


class SimulatedWorld(MemoryWorld):
    """The memory adapters, with a turn before every call of theirs and after every commit."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.faults = Faults(random)
        watch(self.database.tables)
        self.ids = RepeatableIds(self.database, random)

    def ports(self) -> dict[str, object]:
        """What is no part of the transaction."""
        return {
            "ids": stepping(self.ids, "ids"),
            "blobs": stepping(self.blobs, "blobs"),
            "places": stepping(self.read.generations, "places"),
        }

    def scope(self) -> Scope:
        scope = super().scope()
        names = [port.name for port in fields(Scope) if port.name != "transaction"]
        transaction = SteppingTransaction(cast("MemoryTransaction", scope.transaction), self.faults)
        return replace(scope, transaction=transaction, **{name: stepping(getattr(scope, name), name) for name in names})


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
            self._lose_connection()
        except BaseException as crash:
            await self.real.__aexit__(type(crash), crash, crash.__traceback__)
            raise
        await self.real.__aexit__(None, None, None)
        await turn("answer of the commit")
        self._lose_connection()

    def _lose_connection(self) -> None:
        if self._faults.strike(CONNECTION_LOST):
            raise OutcomeUnknown


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
