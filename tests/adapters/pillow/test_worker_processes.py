import asyncio
import io
import os
import signal
import time
from collections.abc import Callable
from typing import TypeVar

import psutil
import pytest

from adapters.pillow.images import PillowImages
from adapters.pillow.worker_processes import Limits, Runner, WorkerProcesses
from core.identifiers import UserId
from core.ports.images import ImagesUnavailable, NotAnImage
from tests.support.pictures import picture

T = TypeVar("T")

ANN = UserId(1)


def spin() -> None:
    while True:
        pass


def take(size: int) -> int:
    return len(bytes(size))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dump_size_and_interrupt() -> tuple[int, signal.Handlers]:
    import resource

    handler = signal.getsignal(signal.SIGINT)
    assert isinstance(handler, signal.Handlers)
    return resource.getrlimit(resource.RLIMIT_CORE)[0], handler


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture
def workers() -> WorkerProcesses:
    return WorkerProcesses(1, Limits(cpu_seconds=1))


async def test_a_function_runs_in_a_worker_and_its_errors_are_raised(workers: WorkerProcesses) -> None:
    assert await workers.run(os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        await workers.run(divmod, 1, 0)
    assert await workers.run(dump_size_and_interrupt) == (0, signal.SIG_IGN)
    assert await workers.run(os.getpriority, os.PRIO_PROCESS, 0) > os.getpriority(os.PRIO_PROCESS, 0)


async def test_a_worker_over_its_time_limit_is_killed_and_the_image_refused(workers: WorkerProcesses) -> None:
    worker = await workers.run(os.getpid)
    with pytest.raises(NotAnImage, match="too long"):
        await workers.run(spin)
    assert worker not in children()
    assert await workers.run(os.getpid) != worker


async def test_the_time_limit_is_per_image(workers: WorkerProcesses) -> None:
    worker = await workers.run(os.getpid)
    for _ in range(3):
        await workers.run(burn, 0.6)
    assert await workers.run(os.getpid) == worker


def burn(seconds: float) -> None:
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        pass


async def test_an_image_over_the_memory_limit_is_refused(workers: WorkerProcesses) -> None:
    assert await workers.run(take, 100_000_000) == 100_000_000
    with pytest.raises(NotAnImage, match="memory"):
        await workers.run(take, 1_100_000_000)


async def test_a_killed_worker_is_replaced_without_refusing_the_image(
    caplog: pytest.LogCaptureFixture,
) -> None:
    workers = WorkerProcesses(1)
    with pytest.raises(ImagesUnavailable):
        await workers.run(die)
    assert caplog.text.count("ended unexpectedly") == 2
    idle = await workers.run(os.getpid)
    os.kill(idle, signal.SIGKILL)
    assert await workers.run(os.getpid) != idle
    assert idle not in children()


async def test_a_call_that_is_not_answered_in_time_ends_its_worker(workers: WorkerProcesses) -> None:
    worker = await workers.run(os.getpid)
    with pytest.raises(ImagesUnavailable):
        await WorkerProcesses(1, Limits(seconds=0.3)).run(time.sleep, 60)
    assert worker not in children()


async def test_a_cancelled_call_leaves_no_process_behind(workers: WorkerProcesses) -> None:
    worker = await workers.run(os.getpid)
    call = asyncio.create_task(workers.run(spin))
    while psutil.Process(worker).cpu_percent(0.02) < 10:  # noqa: ASYNC110 - until it is at work
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert worker not in children()


async def test_there_are_no_more_workers_than_allowed() -> None:
    workers = WorkerProcesses(2)
    ids = await asyncio.gather(*(workers.run(os.getpid) for _ in range(10)))
    assert len(set(ids)) <= 2


class Counting(Runner):
    def __init__(self, error: type[Exception]) -> None:
        self.calls = 0
        self._error = error

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        self.calls += 1
        raise self._error


@pytest.mark.parametrize(("error", "calls"), [(NotAnImage, 1), (ImagesUnavailable, 2)])
async def test_a_refused_file_is_not_decoded_again(error: type[Exception], calls: int) -> None:
    runner = Counting(error)
    images = PillowImages(runner=runner)
    for _ in range(2):
        with pytest.raises(error):
            await images.inspect(io.BytesIO(picture()), user=ANN)
    assert runner.calls == calls
    with pytest.raises(error):
        await images.inspect(io.BytesIO(picture(513)), user=ANN)
    assert runner.calls == calls + 1
