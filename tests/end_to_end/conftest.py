import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from tests.end_to_end.service import Person, Service, person, running_service
from tests.support import gcs, openid, postgres, rabbitmq


class RealParts:
    """PostgreSQL, RabbitMQ, the storage emulator and an OpenID provider, each empty."""

    def __init__(self, environment: dict[str, str], broker: rabbitmq.VirtualHost, provider: openid.Provider) -> None:
        self.environment = environment
        self.broker = broker
        self.openid = provider


@pytest.fixture(scope="session")
async def real_parts(
    postgres_server: postgres.Server,
    rabbitmq_server: rabbitmq.VirtualHost,
    storage_emulator: gcs.Emulator,
    openid_provider: openid.Provider,
) -> AsyncIterator[RealParts]:
    database = f"test_{os.getpid()}_{uuid4().hex[:8]}"
    async with rabbitmq.own_virtual_host(rabbitmq_server) as broker:
        yield RealParts(
            {
                "DATABASE_URL": await postgres_server.create(database),
                **broker.environment,
                **gcs.new_bucket(storage_emulator).environment,
                **openid_provider.environment,
                "OPENID_DISCOVERY_URL": openid_provider.discovery_url,
            },
            broker,
            openid_provider,
        )
    await postgres_server.drop(database)


@pytest.fixture(scope="session", params=["embedded", "real"])
def parts(request: pytest.FixtureRequest) -> RealParts | None:
    """None: everything embedded, as `make run` has it."""
    if request.param == "embedded":
        return None
    real: RealParts = request.getfixturevalue("real_parts")
    return real


@pytest.fixture(scope="session")
async def service(parts: RealParts | None) -> AsyncIterator[Service]:
    """The service with simulated AI servers."""
    # Not one of pytest's directories: those are closed to the user as whom the embedded database runs for root.
    with TemporaryDirectory(prefix="style-license-") as directory:
        environment = parts.environment if parts else {}
        async with running_service(Path(directory), environment, parts.openid if parts else None) as running:
            yield running


@pytest.fixture
async def new_users(service: Service) -> AsyncIterator["NewUsers"]:
    async with AsyncExitStack() as browsers:
        yield NewUsers(service, browsers)


class NewUsers:
    """People who sign in for the first time."""

    def __init__(self, service: Service, browsers: AsyncExitStack) -> None:
        self._service = service
        self._browsers = browsers

    async def one(self, name: str = "somebody") -> Person:
        email = f"{name}-{uuid4().hex[:8]}@example.com"
        return await self._browsers.enter_async_context(person(self._service, email))
