import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psutil
import pytest

from adapters.development.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not one of pytest's directories: those are closed to the user as whom it runs for root.
    with TemporaryDirectory(prefix="style-license-") as directory:
        yield Path(directory) / "it's a földer"


@pytest.fixture
def database(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Created by the first test that asks for it."""
    database = EmbeddedPostgres(folder)
    yield database
    database.stop()


async def marked(url: str) -> bool:
    """Whether this is the database that has been here before; from now on it is."""
    connection = await asyncpg.connect(url)
    try:
        before = await connection.fetchval("SELECT to_regclass('mark') IS NOT NULL")
        await connection.execute("CREATE TABLE IF NOT EXISTS mark ()")
        return bool(before)
    finally:
        await connection.close()


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))


async def test_the_cluster_is_created_once_and_keeps_its_data(database: EmbeddedPostgres, folder: Path) -> None:
    existed = database.exists
    had_been_marked = await marked(database.start())
    database.stop()

    assert (existed, had_been_marked, database.exists) == (False, False, True)
    assert not (folder / "postmaster.pid").exists()
    assert await marked(database.start())


async def test_a_running_server_is_reused(database: EmbeddedPostgres, folder: Path) -> None:
    first = database.start()
    process = postmaster(folder)

    assert EmbeddedPostgres(folder).start() == first
    assert postmaster(folder) == process

    EmbeddedPostgres(folder).stop()
    assert not (folder / "postmaster.pid").exists()


async def test_a_stale_lock_of_another_process_is_ignored(database: EmbeddedPostgres, folder: Path) -> None:
    database.start()
    database.stop()
    (folder / "postmaster.pid").write_text(f"{os.getppid()}\n{folder}\n1700000000\n5432\n{folder}\n\n0 0\nready\n")

    assert await marked(database.start())


async def test_the_server_restarts_after_a_crash(database: EmbeddedPostgres, folder: Path) -> None:
    database.start()
    server = postmaster(folder)
    workers = server.children()
    for process in (server, *workers):
        process.kill()
    psutil.wait_procs(workers)

    assert await marked(database.start())


async def test_a_failed_start_reports_its_cause(database: EmbeddedPostgres, folder: Path) -> None:
    configuration = folder / "postgresql.auto.conf"
    before = configuration.read_bytes()
    configuration.write_text("shared_buffers = nonsense\n")

    with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
        database.start()

    configuration.write_bytes(before)


def test_stopping_a_stopped_server_does_nothing(tmp_path: Path) -> None:
    EmbeddedPostgres(tmp_path / "nothing").stop()
