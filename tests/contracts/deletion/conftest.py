from collections.abc import AsyncIterator

import pytest

from core.accounts.model import User
from core.styles.model import Style
from core.tokens.reconcile import Reconcile
from tests.support.world import World


@pytest.fixture
async def mia(world: World) -> User:
    """An artist who can buy."""
    return await world.artist("mia", tokens=1000)


@pytest.fixture
async def bob(world: World) -> User:
    return await world.user("bob", tokens=1000)


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia)


@pytest.fixture(autouse=True)
async def sound_ledger(world: World) -> AsyncIterator[None]:
    """The ledger is sound after each way to delete an account."""
    yield
    assert (await world.use_case(Reconcile)()).sound
