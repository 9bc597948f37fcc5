"""Round trips to the database of the most frequent calls."""

from adapters.postgres.pool import Pool
from core.accounts.model import User
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.post_comment import NewComment, PostComment
from core.generations.complete_generation import CompleteGeneration
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import FeedQuery, StatusFilter
from core.notifications.mark_read import MarkRead
from core.paging import PageRequest
from core.styles.model import Style
from core.styles.views import StyleQuery
from core.tokens.views import TransactionFilter
from tests.adapters.postgres.counting import counted
from tests.contracts.postgres_world import PostgresWorld

PAGE = PageRequest()


async def test_requesting_a_generation_takes_two_round_trips(world: PostgresWorld, pool: Pool) -> None:
    """One reads the style, one writes everything."""
    ann, style = await a_buyer_and_a_style(world)
    request = world.use_case(RequestGeneration)
    await request(ann.id, NewGeneration(style.id, ["cat"]))  # takes ids and the length of the queue, for a while

    async with counted(pool, 2):
        await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))


async def test_progress_takes_one_round_trip(world: PostgresWorld, pool: Pool) -> None:
    generation = await world.generation(*await a_buyer_and_a_style(world))

    async with counted(pool, 1):
        await world.use_case(RecordProgress)(
            generation.id, current_step=1, total_steps=50, progress_percent=2.0, estimated_seconds=None
        )


async def test_completing_a_generation_takes_four_round_trips(world: PostgresWorld, pool: Pool) -> None:
    """BEGIN, the lock, all writes, COMMIT."""
    generation = await world.generation(*await a_buyer_and_a_style(world))
    await world.ids.notification()

    async with counted(pool, 4):
        await world.use_case(CompleteGeneration)(
            generation.id, result_url=world.blobs.uri("generations/1.png"), metadata={}
        )


async def test_marking_as_read_takes_one_round_trip(world: PostgresWorld, pool: Pool) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(ann, style)
    await world.use_case(CompleteGeneration)(
        generation.id, result_url=world.blobs.uri("generations/1.png"), metadata={}
    )
    page, _ = await world.read.notifications.list(ann.id, unread_only=True, page=PAGE)

    async with counted(pool, 1):
        await world.use_case(MarkRead)(ann.id, page.rows[0].id)


async def test_following_takes_four_round_trips(world: PostgresWorld, pool: Pool) -> None:
    """BEGIN, all writes, how many follow now, COMMIT."""
    ann, style = await a_buyer_and_a_style(world)
    await world.ids.notification()

    async with counted(pool, 4):
        await world.use_case(FollowUser)(ann.id, style.artist_id)


async def test_liking_takes_five_round_trips(world: PostgresWorld, pool: Pool) -> None:
    """BEGIN, the lock, all writes, how many like it now, COMMIT."""
    ann, style = await a_buyer_and_a_style(world)
    image = await world.image(ann, style, public=True)
    await world.ids.notification()

    async with counted(pool, 5):
        await world.use_case(LikeGeneration)(style.artist_id, image.id)


async def test_comments_with_replies_take_two_round_trips(world: PostgresWorld, pool: Pool) -> None:
    """The page, and the first replies to all of it."""
    ann, style = await a_buyer_and_a_style(world)
    image = await world.image(ann, style, public=True)
    for _ in range(3):
        comment = await world.use_case(PostComment)(ann.id, image.id, NewComment("Nice"))
        await world.use_case(PostComment)(ann.id, image.id, NewComment("Thanks", comment))

    async with counted(pool, 2):
        await world.read.community.comments(image.id, viewer=ann.id, page=PAGE)


async def test_every_read_takes_one_round_trip(world: PostgresWorld, pool: Pool) -> None:
    ann, style = await a_buyer_and_a_style(world)
    image = await world.image(ann, style, public=True)
    queued = await world.generation(ann, style)
    read = world.read

    async with counted(pool, 18):
        await world.scope().sessions.requester(bytes(32), at=world.clock.now())
        await read.accounts.me(ann.id)
        await read.accounts.profile(ann.id, viewer=style.artist_id)
        await world.balance(ann.id)
        await read.tokens.transactions(ann.id, type=TransactionFilter.ALL, page=PAGE)
        await read.styles.list(StyleQuery(), page=PAGE)
        await read.styles.list_own(style.artist_id, page=PAGE)
        await read.styles.detail(style.id, viewer=None)
        await read.generations.detail(image.id, viewer=None)
        await read.generations.detail(queued.id, viewer=ann.id)
        await read.generations.feed(FeedQuery(), viewer=ann.id, page=PAGE)
        await read.generations.list_own(ann.id, status=StatusFilter.ALL, is_public=None, page=PAGE)
        await read.notifications.list(ann.id, unread_only=False, page=PAGE)
        await read.community.following(ann.id, page=PAGE)
        await read.generations.last_in_queue()
        await read.search.tags("in", limit=20)
        await read.search.tags("", limit=20)
        await read.styles.recommended_tags(style.id, viewer=None)

    async with counted(pool, 0):
        await read.generations.last_in_queue()


async def a_buyer_and_a_style(world: PostgresWorld) -> tuple[User, Style]:
    return await world.user("ann", tokens=300), await world.style(await world.artist("mia"))
