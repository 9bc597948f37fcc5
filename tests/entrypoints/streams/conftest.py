from collections.abc import AsyncIterator

import pytest

from core.accounts.model import User
from core.generations.model import Generation
from tests.entrypoints.service import Service
from tests.entrypoints.streams.steps import watched
from tests.support.memory_world import MemoryWorld


@pytest.fixture
async def ann(world: MemoryWorld) -> User:
    return await world.user("ann", tokens=100)


@pytest.fixture
async def session(service: Service, ann: User) -> str:
    return await service.session_of(ann)


@pytest.fixture
async def image(world: MemoryWorld, ann: User) -> Generation:
    return await world.generation(ann, await world.style(await world.artist()))


@pytest.fixture(autouse=True)
async def _no_stream_left(service: Service, world: MemoryWorld) -> AsyncIterator[None]:
    yield
    assert service.streams.open == 0
    assert watched(world) == set()
