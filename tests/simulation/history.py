from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from random import Random
from typing import Any

from core.accounts.model import Standing
from core.purchases.model import PurchaseStatus
from core.withdrawals.model import WithdrawalStatus
from tests.simulation import play
from tests.simulation.books import Books
from tests.simulation.broken import Broken
from tests.simulation.scheduler import Actor, Scheduler, nap
from tests.simulation.stage import Stage
from tests.simulation.trace import Trace
from tests.simulation.world import SimulatedWorld

END = 200_000
"""Steps within which everything has to end."""

HOUR = 3_600.0

Mutant = Callable[[SimulatedWorld], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class History:
    """The result of a history."""

    steps: int
    commits: int
    images: int
    purchases: int
    digest: str
    """Of every single event."""


class HistoryBroken(Exception):
    """A history broke an invariant; the message has its last steps."""

    def __init__(self, seed: int, steps: int, step: int, reason: str, last: list[str]) -> None:
        self.seed = seed
        self.steps = steps
        """With the seed, what replays it."""
        self.step = step
        self.reason = reason
        super().__init__("\n".join([*last, f"Seed {seed}, step {step}: {reason}"]))


def run(seed: int, *, steps: int, mutant: Mutant = nullcontext) -> History:
    """Run a history of this many steps and then to its end. Raises HistoryBroken."""
    random = Random(seed)
    world = SimulatedWorld(random)
    trace = Trace()
    with mutant(world), Scheduler(random, world.clock, world.faults, trace) as scheduler:
        stage = SimulatedStage(world, random, scheduler, trace)
        books = Books(world, stage.broker.taken, trace.add)
        try:
            _play(stage, scheduler, books, steps)
        except Broken as broken:
            raise HistoryBroken(seed, steps, scheduler.steps, str(broken), list(trace.last)) from broken
    tables = world.database.tables
    return History(scheduler.steps, books.commits, len(tables.generations), len(tables.purchases), trace.digest)


def _play(stage: "SimulatedStage", scheduler: Scheduler, books: Books, steps: int) -> None:
    play.enter(stage)
    stage.enter("forgetting", stage.forget, ends=False)
    while scheduler.steps < steps:
        _step(stage, scheduler, books)
    stage.settle_down()
    end = scheduler.start("the end", lambda: play.close(stage), restarts=False)
    while not end.over:
        if scheduler.steps > steps + END:
            raise Broken("it does not come to an end")
        _step(stage, scheduler, books)
    books.check_end()


def _step(stage: "SimulatedStage", scheduler: Scheduler, books: Books) -> None:
    scheduler.step(may_jump=not stage.settling)
    books.check()


class SimulatedStage(Stage):
    def __init__(self, world: SimulatedWorld, random: Random, scheduler: Scheduler, trace: Trace) -> None:
        self._memory = world
        self._scheduler = scheduler
        self._trace = trace
        self._ending: list[Actor] = []
        super().__init__(world, random, world.faults)

    async def pause(self, seconds: float) -> None:
        await nap(seconds)

    def enter(self, name: str, life: Callable[[], Coroutine[Any, Any, None]], *, ends: bool) -> None:
        actor = self._scheduler.start(name, life, restarts=True)
        if ends:
            self._ending.append(actor)

    def begin(self, name: str, life: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._ending.append(self._scheduler.start(name, life, restarts=False))

    @property
    def busy(self) -> bool:
        self._ending = [actor for actor in self._ending if not actor.over]
        return bool(self._ending)

    async def unfinished(self) -> dict[str, int]:
        tables = self._memory.database.tables
        return {
            "images": sum(not image.status.ended for image in tables.generations.values()),
            "trainings": sum(not style.training_status.ended for style in tables.styles.values()),
            "withdrawals": sum(row.status is WithdrawalStatus.PENDING for row in tables.withdrawals.values()),
            "purchases": sum(row.status is PurchaseStatus.PENDING for row in tables.purchases.values()),
            "refunds": sum(row.open_refund is not None for row in tables.purchases.values()),
            "takedowns": sum(bool(style.takedown and style.takedown.pending) for style in tables.styles.values()),
            "tasks": len(tables.outbox),
            "accounts being deleted": sum(user.standing is Standing.PENDING_DELETION for user in tables.users.values()),
        }

    async def forget(self) -> None:
        """Purge expired idempotency keys from time to time."""
        while True:
            await self.pause(HOUR)
            await self._memory.answers.purge(limit=5)

    def note(self, event: str) -> None:
        self._trace.add(f"  {event}")

    def ports(self) -> dict[str, object]:
        return super().ports() | self._memory.ports()
