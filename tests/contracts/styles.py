"""What the tests of styles share."""

from core.accounts.model import User
from core.identifiers import ArtworkId, VersionId
from core.paging import Page, PageRequest
from core.styles.model import Style
from core.styles.version import Artwork, TrainingProgress
from core.styles.views import (
    OwnStyleCard,
)
from core.tasks.outcome import Failure, Outcome
from tests.contracts.overlap import commit
from tests.support.world import World


async def untrained(world: World, artist: User, name: str) -> Style:
    """A style whose training has failed."""
    style = await world.untrained_style(artist, name)
    version = await world.training_of(style.id)
    failed = version.fail_training(at=world.clock.now(), failure=Failure("TRAINING_ERROR", "Out of paint."))
    await commit(world, lambda ports: ports.versions.save(failed))
    return style


def artwork(style: Style, id: ArtworkId) -> Artwork:
    key = f"training/{style.version_id}/image_0.png"
    return Artwork(id, style.version_id, 0, key, "png", 512, 512, 1, bytes(32), None, [])


def progress(world: World, epoch: int) -> TrainingProgress:
    return TrainingProgress(epoch, 200, epoch / 2, 300, world.clock.now())


async def advance(world: World, version_id: VersionId, *, epoch: int) -> Outcome:
    return await world.scope().versions.advance(version_id, progress(world, epoch))


async def own(world: World, artist: User) -> Page[OwnStyleCard]:
    return await world.read.styles.list_own(artist.id, page=PageRequest())
