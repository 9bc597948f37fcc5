"""The server process: HTTP, and beside it the relay and, in development, sweeps and the simulated AI servers."""

import asyncio
import contextlib
import logging
import resource
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvloop
from dishka import AsyncContainer
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from core.ports.outbox import Outbox
from core.tasks.publish_tasks import PublishTasks
from entrypoints.container import create_container
from entrypoints.http.app import create_app
from entrypoints.http.middleware.bodies import Bodies
from entrypoints.http.state import state_of
from entrypoints.relay import Relay
from entrypoints.settings import Settings
from entrypoints.signals import stop_event
from entrypoints.sweep import sweep_regularly

GRACE = 5.0
"""Seconds that requests get to finish in after the signal to stop."""
CONNECTIONS = 10_000
"""That may be open at once, those that idle and those of streams included."""

_log = logging.getLogger(__name__)


def run(
    settings: Settings, *, local_sign_in: str | None, sandbox_payments: str | None, started: Callable[[], None]
) -> None:
    """Serve until a signal says to stop.

    With `local_sign_in` the stand-in for Google answers below that path, with `sandbox_payments` the one for Toss.
    """
    _allow_files(CONNECTIONS + 1000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, local_sign_in, sandbox_payments, started))


def _allow_files(count: int) -> None:
    """Have as many open as the system lets this process: a connection is one, and most systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _run(
    settings: Settings, local_sign_in: str | None, sandbox_payments: str | None, started: Callable[[], None]
) -> None:
    stop = stop_event()
    container = create_container(settings)
    try:
        app = create_app(container, settings)
        asgi: object = app
        if local_sign_in or sandbox_payments:
            from entrypoints.container.development import with_stand_ins

            asgi = with_stand_ins(app, settings, sign_in=local_sign_in, payments=sandbox_payments)
        async with app.lifespan(), _beside(container, settings):
            await serve(asgi, settings, stop=stop, started=started, stopping=state_of(app).streams.close)
    finally:
        await container.close()


@contextlib.asynccontextmanager
async def _beside(container: AsyncContainer, settings: Settings) -> AsyncIterator[None]:
    """What works in the background; it ends with the block."""
    workers = []
    if settings.relay == "on":
        workers.append(Relay(await container.get(PublishTasks), await container.get(Outbox)).run())
    if not settings.production:
        workers.append(sweep_regularly(container))
    if settings.ai_servers == "simulated":
        from entrypoints.container.development import simulated_ai_servers

        workers.append((await simulated_ai_servers(container, settings)).run())
    tasks = [asyncio.create_task(worker) for worker in workers]
    for task in tasks:
        task.add_done_callback(_tell_if_it_broke)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _tell_if_it_broke(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.critical("A background task has ended.", exc_info=error)


async def serve(
    asgi: Any,
    settings: Settings,
    *,
    stop: asyncio.Event,
    started: Callable[[], None],
    stopping: Callable[[], None],
) -> None:
    """Answer at the settings' address until `stop` is set; requests that have begun get GRACE to finish.

    `stopping` ends those that would never finish by themselves.
    """
    server = Server(
        Bodies(asgi),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,  # the lifespan is ours: a failing one must end the start
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=CONNECTIONS,  # as many as in the backlog otherwise, and streams keep theirs
        log_enabled=False,
    )
    others = asyncio.all_tasks()
    serving = asyncio.create_task(server.serve())
    told = asyncio.create_task(stop.wait())
    while not (serving.done() or await _listens(settings)):  # noqa: ASYNC110 - granian tells nobody
        await asyncio.sleep(0.01)
    started()
    await asyncio.wait([serving, told], return_when=asyncio.FIRST_COMPLETED)
    stopping()
    server.stop()  # type: ignore[no-untyped-call]
    _, late = await asyncio.wait([serving], timeout=GRACE)
    if late:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # what is cut off complains
        for task in asyncio.all_tasks() - others:
            task.cancel()
    await asyncio.gather(serving, return_exceptions=bool(late))


async def _listens(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    try:
        _, writer = await asyncio.open_connection(host, settings.port)
    except OSError:
        return False
    writer.close()
    return True
