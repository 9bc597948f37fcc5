"""Steps of the tests about withdrawn styles."""

from io import BytesIO

from core.accounts.model import User
from core.generations.complete_generation import CompleteGeneration
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.model import Generation
from core.generations.record_progress import RecordProgress
from core.generations.views import FeedQuery
from core.identifiers import GenerationId
from core.paging import PageRequest
from core.ports.blob_store import Blob
from core.requester import Requester, Role
from core.styles.model import Style, Takedown
from core.styles.views import OwnStyleDetail
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.outcome import Failure, Outcome
from tests.contracts.overlap import Work, commit
from tests.support.pictures import picture
from tests.support.scope import Scope
from tests.support.world import World

PRICE = 30
NO = Failure("GENERATION_ERROR", "No.")


def as_artist(user: User) -> Requester:
    return Requester(user.id, user.role, is_artist=True)


async def withdraw(world: World, style: Style, *, keep_images: bool = True, at_once: bool = True) -> None:
    requester = Requester(style.artist_id, Role.ARTIST, is_artist=True)
    await world.use_case(WithdrawStyle)(requester, style.id, NewTakedown("Mine.", keep_images), at_once=at_once)


async def detail(world: World, style: Style) -> OwnStyleDetail:
    found = await world.read.styles.detail(style.id, viewer=Requester(style.artist_id, Role.ARTIST, True))
    assert isinstance(found, OwnStyleDetail)
    return found


async def stored(world: World, image_id: GenerationId) -> Generation:
    return await commit(world, lambda ports: ports.generations.of_id(image_id))


async def advance(world: World, image_id: GenerationId) -> Outcome:
    begun = world.use_case(RecordProgress)
    return await begun(image_id, current_step=1, total_steps=30, progress_percent=3.3, estimated_seconds=9)


async def complete(world: World, image_id: GenerationId) -> Outcome:
    key = f"generations/gen-{image_id}.png"
    await world.blobs.put(Blob(key, BytesIO(picture(64, 64)), "image/png"))
    return await world.use_case(CompleteGeneration)(image_id, result_url=world.blobs.uri(key), metadata={})


async def published(world: World, owner: User, style: Style) -> Generation:
    image = await world.generation(owner, style)
    await complete(world, image.id)
    await world.use_case(EditGeneration)(owner.id, image.id, GenerationChanges(is_public=True))
    return await stored(world, image.id)


async def feed(world: World) -> list[GenerationId]:
    page = await world.read.generations.feed(FeedQuery(), viewer=None, page=PageRequest())
    return [item.id for item in page.rows]


async def sold(world: World, payer: User, artist: User) -> tuple[int, int, int | None]:
    """What the payer can spend, what is held of it, and what the artist has earned."""
    balance, earned = await world.funds(payer.id), await world.funds(artist.id)
    return balance.token_balance, balance.held_tokens, earned.earned_token_balance


async def check_books(world: World) -> None:
    assert [finding for finding in await world.books.examine() if finding.broken] == []


def withdrawing(world: World, style: Style, *, keeps_images: bool = True) -> Work:
    takedown = Takedown(world.clock.now(), "Mine.", by_admin=False, keeps_images=keeps_images)

    async def withdraw_it(ports: Scope) -> None:
        locked = await ports.styles.lock_to_withdraw(style.id)
        await ports.styles.save(locked.withdraw(takedown))

    return withdraw_it
