import pytest

from tests.support.world import MemoryWorld, World


@pytest.fixture(params=["memory"])
async def world(request: pytest.FixtureRequest) -> World:
    """Every port, over each technology in turn."""
    return MemoryWorld()


@pytest.fixture(params=[False, True], ids=["held-back", "sent"])
def sent(request: pytest.FixtureRequest) -> bool:
    """Whether writes that race are made before either transaction ends, or may be held back until then."""
    return bool(request.param)
