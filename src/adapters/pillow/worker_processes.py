"""Functions in worker processes with limits of time and memory."""

import asyncio
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar, cast

from adapters.pillow.fork_server import ForkServer, Worker, WorkerEnded
from adapters.pillow.forked import Limits
from core.ports.images import ImagesUnavailable, NotAnImage

T = TypeVar("T")

ATTEMPTS = 2
"""A worker may be killed for reasons unrelated to its image."""

_log = logging.getLogger(__name__)


class Runner(Protocol):
    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """What the function returns or raises. Raises NotAnImage if it exceeds a limit, or ImagesUnavailable."""
        ...


class WorkerProcesses(Runner):
    """At most `count` processes, killed when a function exceeds its limits or is cancelled, and replaced at once.

    Whatever blocks is done in threads, one for each process: the event loop starts no process, and neither encodes nor
    sends what goes there and back. If this process is killed, they end after the function they are at.
    """

    def __init__(self, forks: ForkServer, count: int, *, niceness: int = 0, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._places = [_Place(forks, niceness) for _ in range(count)]
        self._free: asyncio.Queue[_Place] = asyncio.LifoQueue()
        for place in self._places:
            self._free.put_nowait(place)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="image-worker")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        for _ in range(ATTEMPTS):
            try:
                return cast("T", await self._answer(_Call(self._limits, function, arguments)))
            except MemoryError:
                raise NotAnImage("it takes too much memory to decode") from None
            except WorkerEnded as ended:
                if ended.exit_code == -signal.SIGXCPU:
                    raise NotAnImage("it takes too long to decode") from None
                _log.warning("image worker ended unexpectedly function=%s", function.__name__)
            except TimeoutError:
                raise ImagesUnavailable(reason="an image worker did not answer in time") from None
        raise ImagesUnavailable(reason="image workers end unexpectedly")

    async def start(self) -> None:
        """Start the processes, so that no call waits for that. Raises ImagesUnavailable."""
        starting = [await self._in_place(_Place.fill) for _ in self._places]
        await asyncio.gather(*map(asyncio.shield, starting))

    async def close(self) -> None:
        """End the processes. No call may be running."""
        await asyncio.to_thread(self._close)

    async def _answer(self, call: "_Call") -> object:
        answer = await self._in_place(call.run)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await asyncio.shield(answer)
        except (TimeoutError, asyncio.CancelledError):
            call.interrupt()
            raise

    async def _in_place(self, function: "Callable[[_Place], T]") -> asyncio.Future[T]:
        """Begin a function in a thread as soon as a place is free; the place is free again at the function's end."""
        place = await self._free.get()
        result = asyncio.get_running_loop().run_in_executor(self._threads, function, place)
        result.add_done_callback(lambda _: self._free.put_nowait(place))
        return result

    def _close(self) -> None:
        self._threads.shutdown()
        for place in self._places:
            place.clear()


class _Place:
    """Where a worker is or will be; to be used from one thread at a time."""

    def __init__(self, forks: ForkServer, niceness: int) -> None:
        self._forks = forks
        self._niceness = niceness
        self._worker: Worker | None = None

    def fill(self) -> Worker:
        """The worker, a new one if there is none that can be used. Raises ImagesUnavailable."""
        if self._worker and self._worker.is_interrupted:
            self.clear()
        if not self._worker:
            try:
                self._worker = self._forks.fork(niceness=self._niceness)
            except OSError as error:
                raise ImagesUnavailable(reason="no image worker can be started") from error
        return self._worker

    def clear(self) -> int | None:
        """End the worker, if there is one; see `Worker.end`."""
        worker, self._worker = self._worker, None
        return worker.end() if worker else None


class _Call:
    """A function to run in a worker."""

    def __init__(self, limits: Limits, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._request = (limits, function, arguments)
        self._worker: Worker | None = None
        self._is_interrupted = False

    def run(self, place: _Place) -> object:
        """What the function returns or raises; blocks. Raises WorkerEnded when another worker is there instead."""
        self._worker = worker = place.fill()
        if self._is_interrupted:
            raise WorkerEnded
        try:
            return worker.call(*self._request)
        except WorkerEnded:
            exit_code = place.clear()
            with suppress(ImagesUnavailable):  # the next call tries again
                place.fill()
            raise WorkerEnded(exit_code) from None

    def interrupt(self) -> None:
        """End the call, without blocking."""
        self._is_interrupted = True
        if self._worker:
            self._worker.interrupt()
