import pytest

from core.accounts.model import User
from core.purchases.model import Purchase
from core.styles.model import Style
from tests.support.world import World


@pytest.fixture
async def style(world: World) -> Style:
    """Of 30 tokens an image."""
    return await world.style(await world.artist("mia"))


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=40)


@pytest.fixture
async def purchase(world: World, ann: User) -> Purchase:
    """Of 100 tokens for 10,000."""
    return await world.buy(ann, 100)
