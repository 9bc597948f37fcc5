"""Damaged images are refused or accepted, by workers that neither end nor exceed their limits."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.pillow import decoding
from adapters.pillow.images import PillowImages
from adapters.pillow.outline import MAX_PIXELS
from core.identifiers import UserId
from core.ports.images import NotAnImage
from tests.fuzz import corpus
from tests.fuzz.images import damaged, seeds

FILES = 400
"""For longer: `python -m tests.fuzz images`."""

images = PillowImages()


@pytest.fixture(scope="module", autouse=True)
async def _ended() -> AsyncIterator[None]:
    yield
    await images.close()


async def check(content: bytes) -> bool:
    """Whether it is an image. Raises ImagesUnavailable if a worker ends."""
    try:
        image = await images.inspect(io.BytesIO(content), user=UserId(1))
        assert 0 < image.width * image.height <= MAX_PIXELS
        assert image.size <= len(content)
        copy = await images.reencode(image.content, user=UserId(1), max_side=64)
    except NotAnImage:
        return False
    again = decoding.inspect(copy.content.read())
    assert (again.width, again.height, again.size) == (copy.width, copy.height, copy.size)
    return True


async def test_undamaged_files_are_accepted() -> None:
    assert [await check(seed) for seed in seeds()] == [True] * len(seeds())


async def test_mutated_images_are_refused_or_decoded() -> None:
    found = [await check(damaged(number)) for number in range(FILES)]
    assert 0 < sum(found) < FILES / 2


@pytest.mark.parametrize("path", corpus.files("images"), ids=lambda path: path.name)
async def test_corpus_images_are_refused_or_decoded(path: Path) -> None:
    await check(path.read_bytes())  # noqa: ASYNC240 - a test
