import pytest

from tests.support.world import MemoryWorld


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()
