"""Damaged bodies are read or refused, and read alike whatever the pieces that they come in.

The library is more lenient with some malformed bodies when they come in certain pieces: whether they are refused
may differ.
"""

from pathlib import Path

import pytest

from tests.fuzz import corpus
from tests.fuzz.multipart import damaged, outcome

BODIES = 1500
"""For longer: `python -m tests.fuzz multipart`."""
PIECES = (1, 7, 64, 100_000)


async def check(body: bytes) -> object:
    """What it is read as."""
    found = [await outcome(body, piece) for piece in PIECES]
    read = [outcome for outcome in found if isinstance(outcome, tuple)]
    assert read == read[:1] * len(read)
    return found[0]


async def test_mutated_bodies_are_parsed_or_refused() -> None:
    found = [await check(damaged(number)) for number in range(BODIES)]
    read = sum(isinstance(outcome, tuple) for outcome in found)
    assert BODIES / 10 < read < BODIES * 9 / 10


@pytest.mark.parametrize("path", corpus.files("multipart"), ids=lambda path: path.name)
async def test_corpus_bodies_are_parsed_or_refused(path: Path) -> None:
    await check(path.read_bytes())  # noqa: ASYNC240 - a test
