"""What the tests of styles share."""

from core.accounts.model import User
from core.identifiers import ArtworkId, StyleId
from core.paging import Page, PageRequest
from core.styles.model import Artwork, Style, TrainingProgress
from core.styles.views import (
    OwnStyleCard,
)
from core.tasks.outcome import Failure, Outcome
from tests.contracts.overlap import commit
from tests.support.world import World


async def untrained(world: World, artist: User, name: str) -> Style:
    """A style whose training has failed."""
    style = await world.untrained_style(artist, name)
    failed = style.fail_training(at=world.clock.now(), failure=Failure("TRAINING_ERROR", "Out of paint."))
    await commit(world, lambda ports: ports.styles.save(failed))
    return failed


def artwork(style: Style, id: ArtworkId) -> Artwork:
    return Artwork(id, style.id, 0, f"training/{style.id}/image_0.png", "png", 512, 512, 1, None, [])


def progress(world: World, epoch: int) -> TrainingProgress:
    return TrainingProgress(epoch, 200, epoch / 2, 300, world.clock.now())


async def advance(world: World, style_id: StyleId, *, epoch: int) -> Outcome:
    return await world.scope().styles.advance(style_id, progress(world, epoch))


async def own(world: World, artist: User) -> Page[OwnStyleCard]:
    return await world.read.styles.list_own(artist.id, page=PageRequest())
