import asyncio
import heapq
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import TracebackType, coroutine
from typing import Any, NamedTuple, Self, cast

from adapters.memory.clock import ManualClock
from tests.simulation.faults import Faults
from tests.simulation.trace import Trace
from tests.simulation.violation import Violation

CRASH = 0.008
CANCEL = 0.008
JUMP = 0.001
JUMPS = (timedelta(seconds=40), timedelta(minutes=3), timedelta(minutes=20), timedelta(days=1))
TICK = 20
"""Milliseconds that a step takes, at most."""


class Nap(NamedTuple):
    seconds: float


@coroutine
def turn(before: str) -> Generator[str, None, None]:
    """Let other actors run; `name` is the next step."""
    yield before


@coroutine
def nap(seconds: float) -> Generator[Nap, None, None]:
    yield Nap(seconds)


@dataclass(slots=True, eq=False)
class Actor:
    name: str
    make: Callable[[], Coroutine[Any, Any, None]]
    restarts: bool
    """Whether it restarts after a crash."""
    work: Coroutine[Any, Any, None]
    next: str = "begins"
    over: bool = False
    awaits: "asyncio.Future[Any] | None" = None
    context: Context = field(default_factory=Context)
    """Its own, as a task has."""

    def begin_again(self) -> None:
        self.work, self.context, self.next = self.make(), Context(), "begins again"

    def end(self) -> None:
        """Crash: the actor does not continue, whatever it waits for."""
        while True:
            try:
                self.context.run(self.work.throw, CancelledError())
            except (CancelledError, StopIteration):
                return


class Scheduler:
    """Runs coroutines one step at a time on one thread; the seed alone decides whose turn it is, and who dies.

    A step goes from one `turn`, nap or wait to the next. While it runs, what needs an event loop finds one here that
    knows futures only.
    """

    def __init__(self, random: Random, clock: ManualClock, faults: Faults, trace: Trace) -> None:
        self._random = random
        self._clock = clock
        self._faults = faults
        self._trace = trace
        self._ready: list[Actor] = []
        self._napping: list[tuple[datetime, int, Actor]] = []
        self._waiting: dict[Actor, None] = {}
        self._naps = 0
        self._loop = _Futures()
        self.steps = 0

    def __enter__(self) -> Self:
        asyncio._set_running_loop(cast("asyncio.AbstractEventLoop", self._loop))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for actor in [*self._ready, *(napping for _, _, napping in self._napping), *self._waiting]:
            actor.end()
        asyncio._set_running_loop(None)

    def start(self, name: str, make: Callable[[], Coroutine[Any, Any, None]], *, restarts: bool) -> Actor:
        actor = Actor(name, make, restarts, make())
        self._ready.append(actor)
        return actor

    def step(self, *, may_jump: bool) -> None:
        """Let one actor continue, or crash."""
        self.steps += 1
        self._pass_time(may_jump=may_jump)
        if self._faults.strike(CRASH):
            actor = self._victim()
            self._trace.add(f"{self.steps} {actor.name} DIES before {actor.next}")
            actor.end()
            self._ended(actor, in_peace=False)
        elif self._faults.strike(CANCEL):
            actor = self._victim()
            self._trace.add(f"{self.steps} {actor.name} is CANCELLED before {actor.next}")
            self._resume(actor, CancelledError())
        else:
            actor = self._next()
            self._trace.add(f"{self.steps} {actor.name}: {actor.next}")
            self._resume(actor)

    def _next(self) -> Actor:
        index = self._random.randrange(len(self._ready))
        actor = self._ready[index]
        self._ready[index] = self._ready[-1]
        self._ready.pop()
        return actor

    def _victim(self) -> Actor:
        """An actor that can continue, or one that waits for a lock."""
        index = self._random.randrange(len(self._ready) + len(self._waiting))
        if index < len(self._ready):
            return self._ready.pop(index)
        actor = list(self._waiting)[index - len(self._ready)]
        del self._waiting[actor]
        actor.awaits = None
        return actor

    def _pass_time(self, *, may_jump: bool) -> None:
        if may_jump and self._faults.strike(JUMP):
            by = self._random.choice(JUMPS)
            self._trace.add(f"the clock JUMPS by {by}")
            self._clock.advance(by)
        now = self._clock.advance(timedelta(milliseconds=self._random.randrange(TICK)))
        if not self._ready:
            if not self._napping:
                raise Violation("everybody waits for somebody else")
            now = self._clock.advance(max(timedelta(), self._napping[0][0] - now))
        while self._napping and self._napping[0][0] <= now:
            self._ready.append(heapq.heappop(self._napping)[2])

    def _resume(self, actor: Actor, error: CancelledError | None = None) -> None:
        try:
            awaited = actor.context.run(actor.work.throw, error) if error else actor.context.run(actor.work.send, None)
        except StopIteration:
            self._ended(actor, in_peace=True)
        except CancelledError:
            self._ended(actor, in_peace=False)
        except Violation:
            raise
        except Exception as unexpected:
            raise Violation(f"{actor.name} met what it could not expect: {unexpected!r}") from unexpected
        else:
            self._park(actor, awaited)

    def _park(self, actor: Actor, awaited: object) -> None:
        if isinstance(awaited, asyncio.Future):
            awaited._asyncio_future_blocking = False  # what a task does: it says that the future is being awaited
            actor.next = "goes on"
            actor.awaits = awaited
            self._waiting[actor] = None
            awaited.add_done_callback(lambda done: self._wake(actor, done))
        elif isinstance(awaited, Nap):
            actor.next = "wakes"
            self._naps += 1
            wakes = self._clock.now() + timedelta(seconds=awaited.seconds)
            heapq.heappush(self._napping, (wakes, self._naps, actor))
        else:
            actor.next = "goes on" if awaited is None else str(awaited)
            self._ready.append(actor)

    def _wake(self, actor: Actor, done: "asyncio.Future[Any]") -> None:
        if actor.awaits is done:
            actor.awaits = None
            del self._waiting[actor]
            self._ready.append(actor)

    def _ended(self, actor: Actor, *, in_peace: bool) -> None:
        if actor.restarts and not in_peace:
            actor.begin_again()
            self._ready.append(actor)
        else:
            actor.over = True


class _Futures:
    """As much of an event loop as locks and conditions need; what is called soon is called at once."""

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=cast("asyncio.AbstractEventLoop", self))

    def call_soon(self, callback: Callable[..., object], *args: object, context: object) -> None:
        callback(*args)
