"""The service as `make run` starts it, and the limits it is compared with."""

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import history, pgbench
from benchmarks.pgbench import Limit
from benchmarks.scenarios.scenario import PAGE, SPEND
from benchmarks.servers import Server, free_port, server
from benchmarks.users import Population, settle
from entrypoints.container import create_container
from entrypoints.container.development import embedded_database
from entrypoints.container.migrations import upgrade_database
from entrypoints.settings import Settings, read_settings

PROCESSES = 2
LIMITED = ("SIGN_IN", "GENERATE", "UPLOAD", "SIGNED_IN", "ANONYMOUS")


@dataclass(frozen=True, slots=True)
class Stage:
    settings: Settings
    limits: list[Limit]
    service: list[Server]
    bare: list[Server]
    users: Population
    database: Path
    """The directory of the database."""

    def server_seconds(self) -> float:
        """CPU seconds that the service has used."""
        return sum(_cpu(psutil.Process(server.pid)) for server in self.service)

    def database_seconds(self) -> float:
        """CPU seconds that PostgreSQL's processes have used, those included that have ended."""
        postmaster = psutil.Process(int((self.database / "postmaster.pid").read_text().splitlines()[0]))
        ended = postmaster.cpu_times()
        return (
            _cpu(postmaster)
            + float(ended.children_user + ended.children_system)
            + sum(_cpu(process) for process in postmaster.children(recursive=True))
        )

    def memory(self) -> int:
        """Bytes of the largest process of the service now."""
        return max(server.memory for server in self.service)


def _cpu(process: psutil.Process) -> float:
    """CPU seconds; 0 for one that has just ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


@contextmanager
def stage(*, with_history: bool, scale: int = 1) -> Iterator[Stage]:
    """Start everything, with users and optionally their history; all of it is removed afterwards."""
    with ExitStack() as stack:
        directory, url = _database(stack)
        variables = environ(url)
        service = [
            stack.enter_context(
                server(
                    *("entrypoints.cli", "run"),
                    port=(port := free_port()),
                    log=directory / f"service-{number}.log",
                    environ={**variables, "PORT": str(port), "DATA_DIR": str(directory / f"service-{number}")},
                )
            )
            for number in range(PROCESSES)
        ]
        bare = [
            stack.enter_context(
                server(
                    *("benchmarks.bare", str(port := free_port())),
                    port=port,
                    log=directory / f"bare-{number}.log",
                    environ={},
                )
            )
            for number in range(PROCESSES)
        ]
        settings = read_settings({**variables, "DATA_DIR": str(directory / "counting")})
        users, limits = asyncio.run(_fill(settings, service[0].port, with_history=with_history, scale=scale))
        yield Stage(settings, limits, service, bare, users, directory / "postgres")


async def _fill(settings: Settings, port: int, *, with_history: bool, scale: int) -> tuple[Population, list[Limit]]:
    url = settings.database_dsn()
    limits = [Limit(SPEND, await pgbench.plain_database(url), pgbench.SPEND)]
    container = create_container(settings)
    try:
        users = await settle(container, port=port)
    finally:
        await container.close()
    if with_history:
        await history.make(url, scale=scale)
        limits.append(Limit(PAGE, url, history.PAGE))
    return users, limits


@contextmanager
def one_service(fill: Callable[[str], None] | None = None) -> Iterator[tuple[dict[str, str], Server]]:
    """One process of the service, and its settings, on a database of its own; both are removed afterwards.

    `fill`, given the database's URL, puts rows into it before the process starts.
    """
    with ExitStack() as stack:
        directory, url = _database(stack)
        if fill:
            fill(url)
        port = free_port()
        variables = {**environ(url), "PORT": str(port), "DATA_DIR": str(directory / "service")}
        log = directory / "service.log"
        yield variables, stack.enter_context(server("entrypoints.cli", "run", port=port, log=log, environ=variables))


def environ(database_url: str) -> dict[str, str]:
    """The settings of the service that is measured."""
    return {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "TRAINING_API_TOKEN": secrets.token_urlsafe(48),
        "INFERENCE_API_TOKEN": secrets.token_urlsafe(48),
        "OPERATOR_TOKEN": secrets.token_urlsafe(48),
        # Never called: the benchmark does not sign in.
        "GOOGLE_CLIENT_ID": "benchmark",
        "GOOGLE_CLIENT_SECRET": "benchmark",
        "AI_SERVERS": "none",
        "LOG_FORMAT": "json",  # as in production
        "RATE_LIMITS": "on",
        **{f"RATE_LIMIT_{whose}": "1000000/60" for whose in LIMITED},
    }


def _database(stack: ExitStack) -> tuple[Path, str]:
    """A temporary directory, and the URL of a migrated database in it."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="style-license-benchmark-")))
    database = embedded_database(directory / "postgres")
    stack.callback(database.stop)
    url = database.start()
    upgrade_database(url)
    return directory, url
