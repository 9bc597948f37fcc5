"""What the tests of checks share."""

from core.artwork_uploads.model import LEASE, ArtworkCheck
from core.identifiers import UserId
from core.requester import Requester, Role
from core.styles.version import StyleVersion
from core.styles.views import CreatedStyle, OwnStyleDetail
from tests.support.world import World


async def training_of(world: World, style: CreatedStyle) -> StyleVersion:
    return await world.training_of(style.id)


async def artist_of(world: World, style: CreatedStyle) -> UserId:
    async with world.block() as scope:
        return (await scope.styles.of_id(style.id)).artist_id


async def detail(world: World, style: CreatedStyle) -> OwnStyleDetail:
    artist = await artist_of(world, style)
    shown = await world.read.styles.detail(style.id, viewer=Requester(artist, Role.ARTIST, is_artist=True))
    assert isinstance(shown, OwnStyleDetail)
    return shown


async def claimed(world: World) -> ArtworkCheck:
    async with world.block() as scope:
        now = world.clock.now()
        check = await scope.checks.claim(at=now, until=now + LEASE)
    assert check
    return check
