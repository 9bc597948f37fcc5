import asyncio
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from adapters.pillow.fork_server import ForkServer
from adapters.pillow.forked import Limits
from adapters.pillow.images import PillowImages
from adapters.pillow.worker_processes import Runner, WorkerProcesses
from core.identifiers import UserId
from core.ports.images import ImagesUnavailable, NotAnImage
from tests.support.pictures import picture

T = TypeVar("T")
Pools = Callable[..., WorkerProcesses]

ANN = UserId(1)
TIME_LIMIT = 30.0
"""Seconds, in case what is awaited never happens."""


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


def running() -> set[int]:
    """The fork server and its workers."""
    return {each.pid for each in psutil.Process().children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIME_LIMIT):
        while not condition():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0)


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    """Makes pools over one fork server."""
    forks, opened = ForkServer(), list[WorkerProcesses]()

    def pool(count: int = 1, limits: Limits | None = None, *, niceness: int = 0) -> WorkerProcesses:
        opened.append(WorkerProcesses(forks, count, niceness=niceness, limits=limits))
        return opened[-1]

    yield pool
    for each in opened:
        await each.close()
    await asyncio.to_thread(forks.close)
    assert running() == set()


@pytest.fixture
def workers(pools: Pools) -> WorkerProcesses:
    return pools(1, Limits(cpu_seconds=1))


async def test_a_function_runs_in_a_worker_and_its_errors_are_raised(workers: WorkerProcesses) -> None:
    assert await workers.run(os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        await workers.run(divmod, 1, 0)
    assert await workers.run(dump_size_and_interrupt) == (0, signal.SIG_IGN)


async def test_a_worker_over_its_time_limit_is_killed_and_the_image_refused(workers: WorkerProcesses) -> None:
    worker = await workers.run(os.getpid)
    with pytest.raises(NotAnImage, match="too long"):
        await workers.run(spin)
    assert worker not in running()
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
    pools: Pools, caplog: pytest.LogCaptureFixture
) -> None:
    workers = pools()
    with pytest.raises(ImagesUnavailable):
        await workers.run(die)
    assert caplog.text.count("ended unexpectedly") == 2
    idle = await workers.run(os.getpid)
    os.kill(idle, signal.SIGKILL)
    assert await workers.run(os.getpid) != idle
    assert idle not in running()


async def test_a_call_that_is_not_answered_in_time_ends_its_worker(pools: Pools) -> None:
    workers = pools(1, Limits(seconds=0.1))
    await workers.start()
    [server] = psutil.Process().children()
    [worker] = server.children()
    with pytest.raises(ImagesUnavailable):
        await workers.run(time.sleep, 60)
    await until(lambda: server.children() not in ([], [worker]))


async def test_a_cancelled_call_leaves_no_process_behind(workers: WorkerProcesses) -> None:
    worker = await workers.run(os.getpid)
    call = asyncio.create_task(workers.run(spin))
    await until(lambda: psutil.Process(worker).cpu_percent(0.02) >= 10)  # it is at work
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: worker not in running())
    assert await workers.run(os.getpid) != worker


async def test_a_call_cancelled_while_its_worker_starts_does_not_run(pools: Pools, tmp_path: Path) -> None:
    workers = pools()
    call = asyncio.create_task(workers.run(os.mkdir, str(tmp_path / "made")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the fork server is being started in a thread
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await workers.run(os.listdir, str(tmp_path)) == []


async def test_there_are_no_more_workers_than_allowed(pools: Pools) -> None:
    workers = pools(2)
    ids = await asyncio.gather(*(workers.run(os.getpid) for _ in range(10)))
    assert len(set(ids)) <= 2


async def test_workers_start_before_the_first_call_and_right_after_a_kill(pools: Pools) -> None:
    workers = pools(2, Limits(cpu_seconds=1))
    await workers.start()
    [server] = psutil.Process().children()
    before = {worker.pid for worker in server.children()}
    assert len(before) == 2
    with pytest.raises(NotAnImage):
        await workers.run(spin)
    after = {worker.pid for worker in server.children()}
    assert (len(after), len(after & before)) == (2, 1)


async def test_processes_start_and_data_is_encoded_off_the_event_loop(pools: Pools) -> None:
    workers = pools(1, Limits(cpu_seconds=1))
    with processes_started() as threads:
        await workers.run(os.getpid)
        with pytest.raises(NotAnImage):
            await workers.run(spin)
        await workers.run(os.getpid)
    assert len(threads) == 1
    value = Noting()
    NOTED.clear()
    await workers.run(same, value)
    assert len(NOTED) == 2
    assert threading.get_ident() not in [*threads, *NOTED]


@contextmanager
def processes_started() -> Iterator[list[int]]:
    """The threads in which this process starts others."""
    threads: list[int] = []

    def note(event: str, arguments: object) -> None:
        if event in {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"} and noting:
            threads.append(threading.get_ident())

    noting = True
    sys.addaudithook(note)  # for good: none can be removed
    yield threads
    noting = False


NOTED: list[int] = []
"""The threads in which a `Noting` was made or encoded."""


class Noting:
    def __init__(self) -> None:
        NOTED.append(threading.get_ident())

    def __reduce__(self) -> tuple[type["Noting"], tuple[()]]:
        NOTED.append(threading.get_ident())
        return Noting, ()


def same(value: T) -> T:
    return value


async def test_workers_outlive_a_killed_fork_server_which_is_replaced_when_needed(
    pools: Pools,
) -> None:
    workers = pools(1, Limits(cpu_seconds=1))
    worker = await workers.run(os.getpid)
    [server] = psutil.Process().children()
    server.kill()
    await until(lambda: server.status() == psutil.STATUS_ZOMBIE)
    assert await workers.run(os.getpid) == worker
    with pytest.raises(NotAnImage):
        await workers.run(spin)
    [another] = psutil.Process().children()
    assert [child.pid for child in another.children()] == [await workers.run(os.getpid)]


SERVICE = """
import asyncio
from adapters.pillow.images import PillowImages

async def main():
    await PillowImages().start()
    print("started", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_workers_end_with_a_killed_service() -> None:
    with subprocess.Popen(  # noqa: ASYNC220 - it is waited for in a thread
        [sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    ) as service:
        assert service.stdout
        assert await asyncio.to_thread(service.stdout.readline) == b"started\n"
        processes = psutil.Process(service.pid).children(recursive=True)
        assert len(processes) == 4
        service.kill()
    await until(lambda: not any(is_running(each) for each in processes))


def is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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
