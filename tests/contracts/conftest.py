from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from adapters.postgres.pool import Pool
from core.accounts.model import User
from tests.contracts.overlap import end_blocks
from tests.contracts.postgres_world import PostgresWorld
from tests.support.batches import Batches, pool_with
from tests.support.memory_world import MemoryWorld
from tests.support.world import World


class Pools:
    """A pool for each database, kept for the whole run."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._stack = AsyncExitStack()
        self._pools: dict[str, Pool] = {}

    async def on(self, url: str) -> Pool:
        if url not in self._pools:
            self._pools[url] = await self._stack.enter_async_context(pool_with(self._batches, url, max_size=8))
        return self._pools[url]

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture(scope="session")
async def pools(pytestconfig: pytest.Config) -> AsyncIterator[Pools]:
    pools = Pools(Batches(pytestconfig.getoption("batches")))
    yield pools
    await pools.close()


@pytest.fixture
async def memory_world() -> AsyncIterator[MemoryWorld]:
    yield MemoryWorld()
    await end_blocks()


@pytest.fixture
async def postgres_world(database_url: str, pools: Pools) -> AsyncIterator[PostgresWorld]:
    world = PostgresWorld(await pools.on(database_url))
    yield world
    await end_blocks()
    await world.listener.close()


@pytest.fixture(params=["memory", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    """Every port, over each technology in turn."""
    world: World = request.getfixturevalue(f"{request.param}_world")
    return world


@pytest.fixture
async def mia(world: World) -> User:
    """An artist."""
    return await world.artist("mia")


@pytest.fixture
async def ann(world: World) -> User:
    """A buyer."""
    return await world.user("ann", tokens=1000)


@pytest.fixture(params=[False, True], ids=["held-back", "sent"])
def sent(request: pytest.FixtureRequest) -> bool:
    """Whether writes that race are made before either transaction ends, or may be held back until then."""
    return bool(request.param)


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL tries three rows one by one before it asks an index for all that match."""
    for module in ("paging", "search"):
        monkeypatch.setattr(f"adapters.postgres.{module}.WINDOW", 3)
