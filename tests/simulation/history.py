from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from random import Random
from typing import Any

from core.accounts.model import Standing
from core.purchases.model import PurchaseStatus
from core.withdrawals.model import WithdrawalStatus
from tests.simulation import actors
from tests.simulation.invariants import Invariants
from tests.simulation.scheduler import Actor, Scheduler, nap
from tests.simulation.stage import Stage
from tests.simulation.trace import Trace
from tests.simulation.violation import Violation
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
    answered: frozenset[str]
    """Names of the use cases that answered, and not only refused; with "again" after them if a key did."""
    digest: str
    """Of every single event."""


class HistoryFailed(Exception):
    """A history broke an invariant; the message has its last steps."""

    def __init__(self, seed: int, steps: int, step: int, reason: str, last: list[str]) -> None:
        self.seed = seed
        self.steps = steps
        """With the seed, what replays it."""
        self.step = step
        self.reason = reason
        super().__init__("\n".join([*last, f"Seed {seed}, step {step}: {reason}"]))


def run(seed: int, *, steps: int, mutant: Mutant = nullcontext) -> History:
    """Run a history of this many steps and then to its end. Raises HistoryFailed."""
    random = Random(seed)
    world = SimulatedWorld(random)
    trace = Trace()
    with mutant(world), Scheduler(random, world.clock, world.faults, trace) as scheduler:
        stage = SimulatedStage(world, random, scheduler, trace)
        invariants = Invariants(world, stage.broker.taken, trace.add)
        try:
            _play(stage, scheduler, invariants, steps)
        except Violation as broken:
            raise HistoryFailed(seed, steps, scheduler.steps, str(broken), list(trace.last)) from broken
    tables = world.database.tables
    return History(
        scheduler.steps,
        invariants.commits,
        len(tables.generations),
        len(tables.purchases),
        frozenset(stage.answered),
        trace.digest,
    )


def _play(stage: "SimulatedStage", scheduler: Scheduler, invariants: Invariants, steps: int) -> None:
    actors.add(stage)
    stage.enter("forgetting", stage.forget, ends=False)
    while scheduler.steps < steps:
        _step(stage, scheduler, invariants)
    stage.settle_down()
    end = scheduler.start("the end", lambda: actors.finish(stage), restarts=False)
    while not end.over:
        if scheduler.steps > steps + END:
            raise Violation("it does not come to an end")
        _step(stage, scheduler, invariants)
    invariants.check_end()


def _step(stage: "SimulatedStage", scheduler: Scheduler, invariants: Invariants) -> None:
    scheduler.step(may_jump=not stage.settling)
    invariants.check()


class SimulatedStage(Stage):
    def __init__(self, world: SimulatedWorld, random: Random, scheduler: Scheduler, trace: Trace) -> None:
        self._memory = world
        self._scheduler = scheduler
        self._trace = trace
        self._ending: list[Actor] = []
        super().__init__(world, random, world.faults)

    async def pause(self, seconds: float) -> None:
        await nap(seconds)

    def enter(self, name: str, work: Callable[[], Coroutine[Any, Any, None]], *, ends: bool) -> None:
        actor = self._scheduler.start(name, work, restarts=True)
        if ends:
            self._ending.append(actor)

    def begin(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._ending.append(self._scheduler.start(name, work, restarts=False))

    @property
    def busy(self) -> bool:
        self._ending = [actor for actor in self._ending if not actor.over]
        return bool(self._ending)

    async def unfinished(self) -> dict[str, int]:
        tables = self._memory.database.tables
        return {
            "images": sum(not image.status.ended for image in tables.generations.values()),
            "trainings": sum(not version.training_status.ended for version in tables.style_versions.values()),
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
