from collections.abc import AsyncIterator

import pytest

from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
async def service(world: MemoryWorld) -> AsyncIterator[Service]:
    service = Service(world)
    yield service
    await service.container.close()


@pytest.fixture
async def anonymous(service: Service) -> AsyncIterator[Browser]:
    async with service.browser() as browser:
        yield browser
