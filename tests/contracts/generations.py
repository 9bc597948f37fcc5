"""What the tests of generations share."""

from core.accounts.model import User
from core.generations.model import Generation, GenerationProgress
from core.generations.views import (
    FeedItem,
    FeedQuery,
)
from core.identifiers import GenerationId
from core.paging import Page, PageRequest
from core.styles.model import Style
from core.tasks.outcome import Outcome
from tests.contracts.overlap import Work
from tests.support.world import World


async def a_buyer_and_a_style(world: World) -> tuple[User, Style]:
    return await world.user("ann", tokens=300), await world.style(await world.artist("mia"))


def saving(generation: Generation) -> Work:
    return lambda ports: ports.generations.save(generation)


def progress(world: World, step: int) -> GenerationProgress:
    return GenerationProgress(step, 50, step * 2.0, None, world.clock.now())


async def advance(world: World, generation_id: GenerationId, *, step: int) -> Outcome:
    return await world.scope().generations.advance(generation_id, progress(world, step))


async def feed(world: World, query: FeedQuery | None = None, *, viewer: User | None = None) -> Page[FeedItem]:
    return await world.read.generations.feed(
        query or FeedQuery(), viewer=viewer.id if viewer else None, page=PageRequest()
    )
