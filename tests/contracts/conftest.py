import pytest

from tests.support.world import MemoryWorld, World


@pytest.fixture(params=["memory"])
async def world(request: pytest.FixtureRequest) -> World:
    """Every port, over each technology in turn."""
    return MemoryWorld()
