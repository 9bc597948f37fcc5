"""The service with one of its safeguards taken out: the simulator has to notice each."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any
from unittest.mock import patch

from adapters.memory.tables import Funds, QueuedTask
from adapters.memory.tasks import MemoryBatch, MemoryTaskQueue
from adapters.memory.transaction import MemoryTransaction
from core.tasks.model import Task, pending
from tests.simulation.history import Mutant
from tests.simulation.watched import Watched, put_in_place
from tests.simulation.world import SimulatedWorld, SteppingTransaction


class Forgetful(Watched[Any, Any]):
    """A unique rule that knows nothing of what came before."""

    def update(self, rows: Mapping[Any, Any]) -> None:  # type: ignore[override]
        pass


@contextmanager
def no_locks(_: SimulatedWorld) -> Iterator[None]:
    async def lock(*_: object) -> None:
        pass

    with patch.object(MemoryTransaction, "lock", lock):
        yield


@contextmanager
def no_rollback(_: SimulatedWorld) -> Iterator[None]:
    end = MemoryTransaction.__aexit__

    async def commit(
        self: MemoryTransaction,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await end(self, None, None, None)

    with patch.object(MemoryTransaction, "__aexit__", commit):
        yield


@contextmanager
def task_outside_of_the_transaction(_: SimulatedWorld) -> Iterator[None]:
    async def put(self: MemoryTaskQueue, task: Task, *, due: datetime | None = None) -> None:
        database = self._transaction.database
        number = database.next("outbox")
        row = QueuedTask(pending(task), due or task.created_at)
        database.apply([lambda tables: tables.outbox.update({number: row})])

    with patch.object(MemoryTaskQueue, "put", put):
        yield


@contextmanager
def task_after_the_transaction(_: SimulatedWorld) -> Iterator[None]:
    end = SteppingTransaction.__aexit__
    late: defaultdict[MemoryTransaction, list[tuple[int, QueuedTask]]] = defaultdict(list)

    async def put(self: MemoryTaskQueue, task: Task, *, due: datetime | None = None) -> None:
        row = QueuedTask(pending(task), due or task.created_at)
        late[self._transaction].append((self._transaction.database.next("outbox"), row))

    async def end_and_put(
        self: SteppingTransaction,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        rows = late.pop(self.real, [])
        await end(self, kind, error, trace)
        if error is None:
            self.real.database.apply([lambda tables: tables.outbox.update(rows)])

    with patch.object(MemoryTaskQueue, "put", put), patch.object(SteppingTransaction, "__aexit__", end_and_put):
        yield


@contextmanager
def unconfirmed_tasks_forgotten(_: SimulatedWorld) -> Iterator[None]:
    async def published(self: MemoryBatch, task_ids: list[Any]) -> None:
        self.confirmed.update(task.task_id for task in self.tasks)

    with patch.object(MemoryBatch, "published", published):
        yield


@contextmanager
def wallets_below_zero(_: SimulatedWorld) -> Iterator[None]:
    with patch.object(Funds, "available", 1_000_000):
        yield


def without(rule: str) -> Mutant:
    @contextmanager
    def mutant(world: SimulatedWorld) -> Iterator[None]:
        put_in_place(world.database.tables, rule, Forgetful({}))
        yield

    return mutant


MUTANTS: dict[str, Mutant] = {
    "no-locks": no_locks,
    "no-rollback": no_rollback,
    "no-unique-transfer": without("references"),
    "no-unique-resolution": without("resolutions"),
    "no-unique-identity": without("identities"),
    "task-outside-of-the-transaction": task_outside_of_the_transaction,
    "task-after-the-transaction": task_after_the_transaction,
    "unconfirmed-tasks-forgotten": unconfirmed_tasks_forgotten,
    "wallets-below-zero": wallets_below_zero,
}
