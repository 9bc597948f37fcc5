"""The server process: HTTP, the relay, and in development maintenance passes and simulated AI servers."""

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
from entrypoints.checks import run_checks
from entrypoints.container import create_container
from entrypoints.container.system import start_image_workers
from entrypoints.http.app import create_app
from entrypoints.http.middleware.bodies import Bodies
from entrypoints.http.state import state_of
from entrypoints.maintenance import run_maintenance
from entrypoints.relay import Relay
from entrypoints.settings import Settings
from entrypoints.signals import stop_event

SHUTDOWN_TIMEOUT = 5.0
"""Seconds that running requests get to finish after the signal to stop."""
CONNECTIONS = 10_000
"""Maximum number of open connections, idle ones and streams included."""

_log = logging.getLogger(__name__)


def run(
    settings: Settings, *, local_sign_in: str | None, sandbox_payments: str | None, started: Callable[[], None]
) -> None:
    """Serve until a signal stops the process.

    `local_sign_in` and `sandbox_payments` are the paths of the stand-ins for Google and Toss, None for none.
    """
    _allow_files(CONNECTIONS + 1000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, local_sign_in, sandbox_payments, started))


def _allow_files(count: int) -> None:
    """Raise the limit of open files, as far as allowed: each connection is one, and the usual limit is 1024."""
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
    """The background tasks; they are cancelled when the block is left."""
    workers = []
    if settings.relay == "on":
        workers.append(Relay(await container.get(PublishTasks), await container.get(Outbox)).run())
    workers.append(run_checks(container))
    workers.append(start_image_workers(container))
    if not settings.production:
        workers.append(run_maintenance(container))
    if settings.ai_servers == "simulated":
        from entrypoints.container.development import simulated_ai_servers

        workers.append((await simulated_ai_servers(container, settings)).run())
    tasks = [asyncio.create_task(worker) for worker in workers]
    for task in tasks:
        task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.critical("background task failed", exc_info=error)


async def serve(
    asgi: Any,
    settings: Settings,
    *,
    stop: asyncio.Event,
    started: Callable[[], None],
    stopping: Callable[[], None],
) -> None:
    """Serve at the settings' address until `stop` is set; running requests get SHUTDOWN_TIMEOUT to finish.

    `stopping` ends those that would not finish by themselves.
    """
    server = Server(
        Bodies(asgi),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,  # the lifespan is ours: a failing one must end the start
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=CONNECTIONS,  # the default is the backlog's size, which streams would use up
        log_enabled=False,
    )
    others = asyncio.all_tasks()
    serving = asyncio.create_task(server.serve())
    stop_requested = asyncio.create_task(stop.wait())
    while not (serving.done() or await _listens(settings)):  # noqa: ASYNC110 - granian has no event for it
        await asyncio.sleep(0.01)
    started()
    await asyncio.wait([serving, stop_requested], return_when=asyncio.FIRST_COMPLETED)
    stopping()
    server.stop()  # type: ignore[no-untyped-call]
    _, late = await asyncio.wait([serving], timeout=SHUTDOWN_TIMEOUT)
    if late:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # cancelled requests log errors
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
