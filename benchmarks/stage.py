"""Everything that is measured, running: the service as `make run` starts it, and beside it what it is compared with."""

import asyncio
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import pgbench
from benchmarks.people import People, settle
from benchmarks.round_trips import per_call
from benchmarks.scenarios.scenario import Scenario
from benchmarks.servers import Server, free_port, server
from entrypoints.container import create_container, embedded_database, upgrade_database
from entrypoints.settings import Settings, read_settings

PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Stage:
    settings: Settings
    plain_url: str
    """A database for pgbench alone."""
    spend: Path
    """What pgbench runs on it."""
    service: list[Server]
    bare: list[Server]
    people: People

    def round_trips(self, scenario: Scenario) -> float:
        """Per call, counted."""

        async def count() -> float:
            container = create_container(self.settings)
            try:
                return await per_call(container, self.settings, scenario)
            finally:
                await container.close()

        return asyncio.run(count())


@contextmanager
def stage() -> Iterator[Stage]:
    """Set it all up, with people in it; nothing of it is left behind."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="style-license-benchmark-")))
        database = embedded_database(directory / "postgres")
        stack.callback(database.stop)
        url = database.start()
        upgrade_database(url)
        environ = _environ(url)
        service = [
            stack.enter_context(
                server(
                    *("entrypoints.cli", "run"),
                    port=(port := free_port()),
                    log=directory / f"service-{number}.log",
                    environ={**environ, "PORT": str(port), "DATA_DIR": str(directory / f"service-{number}")},
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
        settings = read_settings({**environ, "DATA_DIR": str(directory / "counting")})
        people, plain_url = asyncio.run(_fill(settings, service[0].port))
        spend = directory / "spend.sql"
        spend.write_text(pgbench.SPEND)
        yield Stage(settings, plain_url, spend, service, bare, people)


async def _fill(settings: Settings, port: int) -> tuple[People, str]:
    container = create_container(settings)
    try:
        return await settle(container, port=port), await pgbench.plain_database(settings.database_url or "")
    finally:
        await container.close()


def _environ(database_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "INTERNAL_API_TOKEN": secrets.token_urlsafe(48),
        # Never called: nobody signs in with the provider here.
        "GOOGLE_CLIENT_ID": "benchmark",
        "GOOGLE_CLIENT_SECRET": "benchmark",
        "AI_SERVERS": "none",
        "RATE_LIMITS": "on",
    }
