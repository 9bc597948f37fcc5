from collections.abc import AsyncIterator

import pytest

from adapters.pillow.images import PillowImages
from core.ports.images import Images
from tests.contracts.images.steps import RUNNERS


@pytest.fixture(scope="module", params=RUNNERS)
async def images(request: pytest.FixtureRequest) -> AsyncIterator[Images]:
    images = PillowImages(runner=request.param)
    yield images
    await images.close()
