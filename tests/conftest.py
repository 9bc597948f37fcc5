"""The real parts that tests run on. Each starts when the first test asks for it and stops at the end of the run."""

import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support import gcs, openid, postgres, rabbitmq, shared


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--batches",
        choices=("one", "many", "refused"),
        default="many",
        help="the batches of contract tests: of one call, as many as wait, or each with one more that is refused",
    )


def pytest_configure(config: pytest.Config) -> None:
    _take_signals()
    if not _is_worker(config):
        shared.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        shared.end()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start RabbitMQ while other tests run: it takes longer than everything else together."""
    if session.config.option.collectonly:
        return
    # A test may also request the fixture while it runs; its name shows that.
    if any(
        "rabbitmq_server" in getattr(item, "fixturenames", ()) or "rabbitmq" in item.nodeid for item in session.items
    ):
        with contextlib.suppress(RuntimeError):  # the fixture meets the same error and shows it
            rabbitmq.install_if_needed()
        threading.Thread(target=_start_early, name="rabbitmq", daemon=True).start()


def _start_early() -> None:
    with contextlib.suppress(Exception):  # the fixture meets the same error and shows it
        rabbitmq.broker()


def _take_signals() -> None:
    """A process started with nohup or in the background ignores them, and so would the processes that tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.fixture(scope="session")
def postgres_server() -> postgres.Server:
    """A PostgreSQL server, the same for the whole run."""
    return postgres.server()


@pytest.fixture(scope="session")
async def _template(postgres_server: postgres.Server) -> str:
    return await postgres.migrated_template(postgres_server)


@pytest.fixture(scope="session")
async def _lasting_database(postgres_server: postgres.Server, _template: str) -> AsyncIterator[str]:
    name = f"test_{os.getpid()}_{uuid4().hex[:8]}"
    yield await postgres_server.create(name, _template)
    await postgres_server.drop(name)


@pytest.fixture(scope="session")
async def _lasting_connection(_lasting_database: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    connection = await asyncpg.connect(_lasting_database)
    yield connection
    await connection.close()


@pytest.fixture
async def database_url(_lasting_database: str, _lasting_connection: "asyncpg.Connection[Any]") -> AsyncIterator[str]:
    """A migrated database in its first state. The URL stays the same, so a pool on it may outlive the test."""
    yield _lasting_database
    await postgres.restore_first_state(_lasting_connection)


@pytest.fixture
def sql(database_url: str, _lasting_connection: "asyncpg.Connection[Any]") -> "asyncpg.Connection[Any]":
    """A connection of the test's own to the database of `database_url`, to look behind the scenes."""
    return _lasting_connection


@pytest.fixture
async def own_database_url(postgres_server: postgres.Server, _template: str) -> AsyncIterator[str]:
    """A migrated database of its own, for whole servers and for tests that kill them."""
    name = f"test_{os.getpid()}_{uuid4().hex[:8]}"
    yield await postgres_server.create(name, _template)
    await postgres_server.drop(name)


@pytest.fixture
async def empty_database_url(postgres_server: postgres.Server) -> AsyncIterator[str]:
    """A database without a single table: for migrations."""
    name = f"test_{os.getpid()}_{uuid4().hex[:8]}"
    yield await postgres_server.create(name)
    await postgres_server.drop(name)


@pytest.fixture(scope="session")
def rabbitmq_server() -> rabbitmq.VirtualHost:
    """A RabbitMQ, the same for the whole run."""
    return rabbitmq.broker()


@pytest.fixture
async def broker(rabbitmq_server: rabbitmq.VirtualHost) -> AsyncIterator[rabbitmq.VirtualHost]:
    """An empty place on RabbitMQ for this test alone."""
    async with rabbitmq.own_virtual_host(rabbitmq_server) as own:
        yield own


@pytest.fixture(scope="module")
def rabbitmq_node() -> Iterator[rabbitmq.Node]:
    """A RabbitMQ node for one module alone, to stop, kill or freeze. It takes some ten seconds to start."""
    with rabbitmq.private_node() as node:
        yield node


@pytest.fixture(scope="session")
def storage_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gcs.Emulator]:
    """Cloud Storage's emulator, the same for the whole run."""
    with gcs.running_emulator(tmp_path_factory.mktemp("gcs")) as emulator:
        yield emulator


@pytest.fixture
def bucket(storage_emulator: gcs.Emulator) -> gcs.Bucket:
    """An empty bucket."""
    return gcs.new_bucket(storage_emulator)


@pytest.fixture(scope="session")
def openid_provider() -> Iterator[openid.Provider]:
    """An OpenID provider, the same for the whole run; its users stay."""
    with openid.running_provider() as provider:
        yield provider


@pytest.fixture(scope="session")
def project_directory() -> Path:
    return Path(__file__).parent.parent
