"""Functions in worker processes with limits of time and memory."""

import asyncio
import logging
import math
import os
import resource
import signal
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol, TypeVar

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from core.ports.images import ImagesUnavailable, NotAnImage

T = TypeVar("T")

ATTEMPTS = 2
"""A worker may be killed for reasons unrelated to its image."""
NICENESS = 5
"""Of workers: on a busy machine the event loop has priority."""

_log = logging.getLogger(__name__)


class Limits(NamedTuple):
    cpu_seconds: int = 15
    """Of an image; the largest accepted takes a third."""
    seconds: float = 60.0
    """Until a call is answered, on a machine with little time to spare."""
    memory: int = 1024 * 1024 * 1024
    """Bytes of address space of a worker."""


LIMITS = Limits()


class Runner(Protocol):
    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """What the function returns or raises. Raises NotAnImage if it exceeds a limit, or ImagesUnavailable."""
        ...


class WorkerProcesses(Runner):
    """At most `count` processes, started when needed and killed when a function exceeds its limits or is cancelled.

    They end with the event loop or, when this process is killed, after the function they are at.
    """

    def __init__(self, count: int, limits: Limits = LIMITS) -> None:
        self._limiter = CapacityLimiter(count)
        self._limits = limits

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        for _ in range(ATTEMPTS):
            began = monotonic()
            try:
                async with asyncio.timeout(self._limits.seconds):
                    return await to_process.run_sync(
                        _within, self._limits, function, arguments, cancellable=True, limiter=self._limiter
                    )
            except MemoryError:
                raise NotAnImage("it takes too much memory to decode") from None
            except BrokenWorkerProcess:
                if monotonic() - began >= self._limits.cpu_seconds:  # cannot have used them up any sooner
                    raise NotAnImage("it takes too long to decode") from None
                _log.warning("image worker ended unexpectedly function=%s", function.__name__)
            except TimeoutError:
                raise ImagesUnavailable(reason="an image worker did not answer in time") from None
        raise ImagesUnavailable(reason="image workers end unexpectedly")


def _within(limits: Limits, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
    """In the worker, which the system kills when the time is used up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, resource.RLIM_INFINITY))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + limits.cpu_seconds, resource.RLIM_INFINITY))
    try:
        return function(*arguments)
    finally:  # what comes before the next function is not counted
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
