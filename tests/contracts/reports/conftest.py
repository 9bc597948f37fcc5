import pytest

from tests.contracts.reports.steps import Scene
from tests.support.world import World


@pytest.fixture
async def scene(world: World) -> Scene:
    scene = Scene(world)
    await scene.set()
    return scene
