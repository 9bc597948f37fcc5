"""Artworks of other artists that resemble given ones, by their perceptual hashes."""

from random import Random

import pytest

from core.identifiers import ArtworkId
from core.styles.model import Style
from core.styles.version import NEAR, NearCopy
from tests.contracts.near_copies import with_hashes
from tests.contracts.overlap import commit
from tests.support.world import World

CHANCE = Random(4711)
BITS = range(64)


def differing(wanted: int, bits: int) -> int:
    """Another hash, of which so many bits differ, anywhere."""
    for place in CHANCE.sample(BITS, bits):
        wanted ^= 1 << place
    return wanted


async def stored(world: World, like: Style, *hashes: int | None) -> list[ArtworkId]:
    """The ids of artworks with these hashes, in a style of their own."""
    style = await with_hashes(world, like, *hashes)
    artworks = await commit(world, lambda ports: ports.versions.artworks(style.version_id))
    assert [artwork.perceptual_hash for artwork in artworks] == list(hashes)
    return [artwork.id for artwork in artworks]


async def near(world: World, style: Style, *hashes: int, limit: int = 1000) -> list[NearCopy]:
    return await commit(
        world,
        lambda ports: ports.versions.near_copies(list(hashes), of_others_than=style.artist_id, limit=limit),
    )


@pytest.fixture
async def mias(world: World) -> Style:
    return await world.style(await world.artist("mia"), "Ink")


@pytest.fixture
async def zoes(world: World) -> Style:
    return await world.style(await world.artist("zoe"), "Oil")


async def test_hashes_are_near_if_at_most_seven_bits_differ(world: World, mias: Style, zoes: Style) -> None:
    for wanted in (0, 2**64 - 1, 2**63, *(CHANCE.getrandbits(64) for _ in range(12))):
        hashes = [differing(wanted, bits) for bits in range(NEAR + 3)]
        ids = await stored(world, mias, *hashes)

        found = await near(world, zoes, wanted)

        assert [(copy.artwork_id, copy.distance) for copy in found if copy.artwork_id in ids] == [
            (artwork, bits) for bits, artwork in enumerate(ids[: NEAR + 1])
        ]


async def test_all_seven_bits_may_differ_in_one_band(world: World, mias: Style, zoes: Style) -> None:
    for band in range(4):
        [artwork] = await stored(world, mias, 0b1111111 << (16 * band + 5))
        assert artwork in [copy.artwork_id for copy in await near(world, zoes, 0)]


async def test_every_given_hash_is_searched(world: World, mias: Style, zoes: Style) -> None:
    [first, second, _, _] = await stored(world, mias, 0, 0xFFFF_FFFF, 2**63 + 2**40 - 1, None)

    found = await near(world, zoes, 0xAAAA_AAAA_AAAA_AAAA, 0xFFFF_FFFF, 1)

    assert [(copy.wanted, copy.artwork_id, copy.distance) for copy in found] == [(1, second, 0), (2, first, 1)]
    assert found[:1] == await near(world, zoes, 0xAAAA_AAAA_AAAA_AAAA, 0xFFFF_FFFF, 1, limit=1)
    assert await near(world, zoes) == []


async def test_own_artworks_are_not_near_copies(world: World, mias: Style) -> None:
    await stored(world, mias, 0)

    assert await near(world, mias, 0) == []
