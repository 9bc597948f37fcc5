import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from random import Random
from typing import Any

from adapters.postgres.pool import Pool
from core.purchases.model import PurchaseStatus
from core.tokens.model import PlatformFee
from tests.contracts.postgres_world import PostgresWorld
from tests.simulation import actors
from tests.simulation.audit import audit
from tests.simulation.faults import Faults
from tests.simulation.stage import TIMEOUT, Stage
from tests.simulation.violation import Violation

HASTE = 400
"""By how much the pauses of users are shortened."""
TIME_TAKEN = 0.02
"""Share of a pause by which the clock advances: many users pause at once."""
CANCEL = 0.02
TOO_LONG = 20_000
"""Calls."""
FEE = 7
"""Percent."""
JUMP = 0.002

UNFINISHED = """
SELECT (SELECT count(*) FROM generations WHERE status NOT IN ('completed', 'failed', 'cancelled')) AS images,
       (SELECT count(*) FROM style_versions WHERE training_status NOT IN ('completed', 'failed')) AS trainings,
       (SELECT count(*) FROM purchases WHERE status = 'pending') AS purchases,
       (SELECT count(*) FROM purchases WHERE status = 'refunding') AS refunds,
       (SELECT count(*) FROM withdrawals WHERE status = 'pending') AS withdrawals,
       (SELECT count(*) FROM styles WHERE takedown_pending) AS takedowns,
       (SELECT count(*) FROM outbox) AS tasks,
       (SELECT count(*) FROM users WHERE standing = 'leaving') AS deletions
"""


async def perform(pool: Pool, *, seed: int, calls: int, required: frozenset[str] = frozenset()) -> "ConcurrentStage":
    """Run this many concurrent use case calls on a real database, run it to the end, and audit it. Raises Violation.

    It continues until each use case in `required` has answered, too.
    """
    world = PostgresWorld(pool)
    world.fee = PlatformFee(FEE)
    async with asyncio.TaskGroup() as group:
        stage = ConcurrentStage(world, pool, Random(seed), group, calls, required)
        actors.add(stage)
        stage.enter("maintenance", stage.roll_up, ends=False)
        await stage.played.wait()
        stage.settle_down()
        await actors.finish(stage)
        stage.switch_off()
    await audit(world.books, pool.fetch)
    await _check_payments(world, pool)
    return stage


async def _check_payments(world: PostgresWorld, pool: Pool) -> None:
    rows = await pool.fetch("SELECT order_id, status, total_price FROM purchases")
    payments = {payment.order_id: payment for payment in world.payments.payments.values()}
    for row in rows:
        payment = payments[row["order_id"]]
        captured = world.payments.captured.get(payment.key)
        taken = captured is not None and captured.amount == row["total_price"]
        if taken != PurchaseStatus(row["status"]).credited and payment.kept == row["total_price"]:
            raise Violation(f"a purchase is not what its payment says: {dict(row)}, {payment}")


class ConcurrentStage(Stage):
    """The same actors as tasks of an event loop, which decides the order together with the database."""

    def __init__(
        self,
        world: PostgresWorld,
        pool: Pool,
        random: Random,
        group: asyncio.TaskGroup,
        calls: int,
        required: frozenset[str],
    ) -> None:
        super().__init__(world, random, Faults(random))
        self._pool = pool
        self._group = group
        self._calls = calls
        self._required = required
        self._events = 0
        self._running: dict[asyncio.Task[None], None] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._lasting: list[asyncio.Task[None]] = []
        self.played = asyncio.Event()
        """Set after enough calls and the answers that are required."""
        self.cancelled = 0

    async def pause(self, seconds: float) -> None:
        self.world.clock.advance(timedelta(seconds=TIME_TAKEN * seconds))
        if not self.settling and self.faults.strike(JUMP):
            self.world.clock.advance(2 * TIMEOUT)
        if self.faults.strike(CANCEL):
            self.random.choice(list(self._running)).cancel()
        await asyncio.sleep(seconds / HASTE)

    def enter(self, name: str, work: Callable[[], Coroutine[Any, Any, None]], *, ends: bool) -> None:
        task = self._start(name, self._run(work, restarts=True))
        if ends:
            self._watch(task)
        else:
            self._lasting.append(task)

    def begin(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._watch(self._start(name, self._run(work, restarts=False)))

    @property
    def busy(self) -> bool:
        return bool(self._ending)

    async def unfinished(self) -> dict[str, int]:
        return dict(await self._pool.fetchrow(UNFINISHED) or {})

    def note(self, event: str) -> None:
        self._events += 1
        missing = self._required - self.answered
        if self._events > self._calls + TOO_LONG:
            raise Violation(f"these never answered: {missing}")
        if self._events >= self._calls and not missing:
            self.played.set()

    async def roll_up(self) -> None:
        """Earnings are rolled up during the run."""
        while True:
            await self.pause(5)
            await self.world.maintenance.roll_up_balances(limit=1000)

    def switch_off(self) -> None:
        for task in self._lasting:
            task.cancel()

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        try:
            return self._group.create_task(work, name=name)
        except RuntimeError:  # the group ends because a task failed
            work.close()
            raise

    def _watch(self, task: "asyncio.Task[None]") -> None:
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]], *, restarts: bool) -> None:
        while True:
            task = asyncio.create_task(work())
            self._running[task] = None
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                del self._running[task]
            if not task.cancelled():
                task.result()
                return
            self.cancelled += 1
            if not restarts:
                return
