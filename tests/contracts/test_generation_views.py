"""Generations as readers show them: details, lists, the feed."""

from datetime import timedelta

import msgspec
import pytest

from core.accounts.model import User
from core.derivatives import public_urls
from core.generations.errors import GenerationNotFound
from core.generations.model import AspectRatio, Status
from core.generations.views import (
    FeedItem,
    FeedQuery,
    FeedSort,
    GenerationArtist,
    GenerationStyle,
    GenerationUser,
    GenerationView,
    GrantedLicense,
    QueuePlace,
    StatusFilter,
)
from core.identifiers import GenerationId
from core.paging import Page, PageRequest
from core.tasks.outcome import Failure
from tests.contracts.generations import a_buyer_and_a_style, advance, feed, progress, saving
from tests.contracts.overlap import commit
from tests.support.scope import Scope
from tests.support.world import World


async def test_detail_of_a_queued_generation(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(ann, style, seed=7, description="a cat", aspect_ratio=AspectRatio.PORTRAIT)

    assert await world.read.generations.detail(generation.id, viewer=ann.id) == GenerationView(
        id=generation.id,
        user_id=ann.id,
        user=GenerationUser(ann.id, "ann", None, None),
        style=GenerationStyle(style.id, "Ink", 1, GenerationArtist(style.artist_id, "Mia")),
        status="queued",
        consumed_tokens=30,
        license=GrantedLicense("personal", 1),
        aspect_ratio="1:2",
        seed=7,
        tags=["woman", "portrait"],
        description="a cat",
        is_public=False,
        like_count=0,
        comment_count=0,
        is_liked=False,
        result_url=None,
        images=None,
        progress=None,
        queue=QueuePlace(1, 30),
        error_message=None,
        refunded=False,
        created_at=generation.created_at,
        updated_at=generation.updated_at,
    )


async def test_detail_of_a_generation_in_progress(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(ann, style)
    await advance(world, generation.id, step=5)

    view = await world.read.generations.detail(generation.id, viewer=ann.id)

    assert (view.status, view.progress, view.queue) == ("processing", progress(world, 5), None)


async def test_detail_of_a_retried_generation(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(ann, style)
    now = world.clock.now()
    retried = generation.retry(
        at=now, due=now + timedelta(seconds=30), failure=Failure("TIMEOUT", "Too slow."), task_id=world.ids.task()
    )
    await commit(world, saving(retried))

    view = await world.read.generations.detail(generation.id, viewer=ann.id)

    assert (view.status, view.error_message, view.refunded, view.queue) == ("retrying", None, False, None)


async def test_detail_of_a_failed_generation(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.failed_generation(ann, style)

    view = await world.read.generations.detail(generation.id, viewer=ann.id)

    assert (view.status, view.error_message, view.refunded) == ("failed", "The model made no image.", True)
    assert (view.result_url, view.queue, view.progress) == (None, None, None)


async def test_detail_of_a_private_generation_is_for_its_owner_only(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    image = await world.image(ann, style)
    bob = await world.user("bob")

    view = await world.read.generations.detail(image.id, viewer=ann.id)

    assert (view.status, view.is_public, view.refunded, view.error_message) == ("completed", False, False, None)
    assert view.result_url == await world.blobs.signed_url(f"generations/gen-{image.id}.png")
    for viewer in (None, bob.id, style.artist_id):
        with pytest.raises(GenerationNotFound):
            await world.read.generations.detail(image.id, viewer=viewer)


async def test_a_generation_that_is_not_completed_is_visible_to_its_owner_only(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    for generation in (await world.generation(ann, style), await world.failed_generation(ann, style)):
        with pytest.raises(GenerationNotFound):
            await world.read.generations.detail(generation.id, viewer=None)


async def test_detail_of_a_public_generation_is_visible_to_everybody(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    image = await world.image(ann, style, public=True)
    bob = await world.user("bob")
    await world.like(bob, image)
    liked = {}

    for viewer in (None, bob.id, ann.id):
        view = await world.read.generations.detail(image.id, viewer=viewer)
        assert (view.is_public, view.like_count) == (True, 1)
        assert view.images == public_urls(f"public/generations/{image.id}/image.png", world.blobs)
        assert view.result_url == view.images.original
        liked[viewer] = view.is_liked

    assert liked == {None: False, bob.id: True, ann.id: False}


async def test_the_queue_position_counts_earlier_generations(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    twins = [await world.generation(ann, style) for _ in range(2)]  # at the same moment: the id decides
    processing = await world.generation(ann, style)
    await advance(world, processing.id, step=1)
    world.clock.advance()
    third = await world.generation(ann, style)

    places = [
        (await world.read.generations.detail(generation.id, viewer=ann.id)).queue
        for generation in (*sorted(twins, key=lambda twin: twin.id), third)
    ]

    assert places == [QueuePlace(1, 30), QueuePlace(2, 60), QueuePlace(3, 90)]


async def test_the_last_queue_position(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    for _ in range(3):
        await world.generation(ann, style)
    await world.failed_generation(ann, style)
    await world.image(ann, style, created_at=world.clock.now() - timedelta(seconds=12))

    assert await world.read.generations.last_in_queue() == QueuePlace(3, 36)


async def test_an_empty_queue_has_position_one(world: World) -> None:
    assert await world.read.generations.last_in_queue() == QueuePlace(1, 30)


async def test_the_wait_is_estimated_from_recent_generations(world: World) -> None:
    ann = await world.user("ann", tokens=1000)
    style = await world.style(await world.artist("mia"))
    for seconds in (1, *range(29, 9, -1)):  # the first is the twenty-first before
        world.clock.advance()
        await world.image(ann, style, created_at=world.clock.now() - timedelta(seconds=seconds))
    await world.generation(ann, style)
    waiting = await world.generation(ann, style)

    assert (await world.read.generations.detail(waiting.id, viewer=ann.id)).queue == QueuePlace(2, 20)


async def test_the_feed_shows_public_generations_newest_first(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    first = await world.image(ann, style, public=True)
    await world.image(ann, style)
    await world.generation(ann, style)
    await world.failed_generation(ann, style)
    world.clock.advance()
    second = await world.image(ann, style, public=True, description="a cat", prompt_tags=["cat"])
    bob = await world.user("bob")
    await world.like(bob, second)

    items = (await feed(world, viewer=bob)).rows

    assert [item.id for item in items] == [second.id, first.id]
    images = public_urls(f"public/generations/{second.id}/image.png", world.blobs)
    assert items[0] == FeedItem(
        id=second.id,
        user=GenerationUser(ann.id, "ann", None, None),
        style=GenerationStyle(style.id, "Ink", 1, GenerationArtist(style.artist_id, "Mia")),
        result_url=images.original,
        images=images,
        description="a cat",
        aspect_ratio="1:1",
        like_count=1,
        comment_count=0,
        is_liked=True,
        tags=["cat"],
        created_at=second.created_at,
    )
    assert (items[1].like_count, items[1].is_liked) == (0, False)
    assert not (await feed(world)).rows[0].is_liked


async def test_feed_filters_are_combined(world: World) -> None:
    ann, ink = await a_buyer_and_a_style(world)
    bob = await world.user("bob", tokens=300)
    oil = await world.style(await world.artist("max"), "Oil")
    one = await world.image(ann, ink, public=True, prompt_tags=["cat", "red"])
    two = await world.image(bob, ink, public=True, prompt_tags=["cat"])
    three = await world.image(bob, oil, public=True, prompt_tags=["red", "cat", "hat"])

    async def shown(query: FeedQuery) -> set[GenerationId]:
        return {item.id for item in (await feed(world, query)).rows}

    assert await shown(FeedQuery(tags=["cat"])) == {one.id, two.id, three.id}
    assert await shown(FeedQuery(tags=["cat", "red"])) == {one.id, three.id}
    assert await shown(FeedQuery(tags=["ca"])) == set()
    assert await shown(FeedQuery(user_id=bob.id)) == {two.id, three.id}
    assert await shown(FeedQuery(style_id=ink.id)) == {one.id, two.id}
    assert await shown(FeedQuery(style_id=oil.id, user_id=bob.id, tags=["red"])) == {three.id}
    assert await shown(FeedQuery(style_id=oil.id, user_id=ann.id)) == set()


async def test_popular_sorts_by_likes_then_newest(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    bob = await world.user("bob")
    images = [await world.image(ann, style, public=True, created_at=world.clock.advance()) for _ in range(4)]
    for user, image in ((ann, images[0]), (bob, images[0]), (ann, images[2]), (bob, images[1])):
        await world.like(user, image)

    shown = [item.id for item in (await feed(world, FeedQuery(sort=FeedSort.POPULAR))).rows]

    assert shown == [images[0].id, images[2].id, images[1].id, images[3].id]


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (StatusFilter.ALL, {"queued", "processing", "retrying", "completed", "failed"}),
        (StatusFilter.QUEUED, {"queued"}),
        (StatusFilter.PROCESSING, {"processing", "retrying"}),
        (StatusFilter.COMPLETED, {"completed"}),
        (StatusFilter.FAILED, {"failed"}),
    ],
)
async def test_own_generations_by_status(world: World, status: StatusFilter, shown: set[str]) -> None:
    ann = await world.user("ann", tokens=1000)
    style = await world.style(await world.artist("mia"))
    await world.generation(ann, style)
    await advance(world, (await world.generation(ann, style)).id, step=1)
    retried = (await world.generation(ann, style)).retry(
        at=world.clock.now(), due=world.clock.now(), failure=Failure("TIMEOUT", "Too slow."), task_id=world.ids.task()
    )
    await commit(world, saving(retried))
    await world.image(ann, style)
    await world.failed_generation(ann, style)
    await world.generation(await world.user("bob", tokens=30), style)

    own = (await list_own(world, ann, status=status)).rows

    assert {view.status for view in own} == shown
    assert len(own) == len(shown)


async def test_a_cancelled_generation_is_listed_as_failed_and_refunded(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(ann, style)
    now = world.clock.now()
    cancelled = msgspec.structs.replace(generation, status=Status.CANCELLED, updated_at=now, ended_at=now)

    async def cancel(ports: Scope) -> None:
        await ports.generations.save(cancelled)
        await ports.ledger.void(generation.hold_id, at=now)

    await commit(world, cancel)

    [view] = (await list_own(world, ann, status=StatusFilter.FAILED)).rows
    assert (view.status, view.refunded, view.error_message) == ("cancelled", True, None)


async def test_own_generations_by_visibility(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    public = await world.image(ann, style, public=True)
    world.clock.advance()
    private = await world.image(ann, style)

    async def shown(is_public: bool | None) -> list[GenerationId]:
        return [view.id for view in (await list_own(world, ann, is_public=is_public)).rows]

    assert await shown(True) == [public.id]
    assert await shown(False) == [private.id]
    assert await shown(None) == [private.id, public.id]


async def test_own_generations_are_full_views_newest_first(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    now = world.clock.now()
    generations = [
        await world.image(ann, style),
        await world.generation(ann, style, created_at=now + timedelta(seconds=1)),
        await world.generation(ann, style, created_at=now - timedelta(seconds=1)),
    ]

    own = (await list_own(world, ann)).rows

    assert [view.id for view in own] == [generations[1].id, generations[0].id, generations[2].id]
    assert [view.queue and view.queue.position for view in own] == [2, None, 1]
    assert own == [await world.read.generations.detail(view.id, viewer=ann.id) for view in own]


async def list_own(
    world: World,
    owner: User,
    *,
    status: StatusFilter = StatusFilter.ALL,
    is_public: bool | None = None,
    page: PageRequest | None = None,
) -> Page[GenerationView]:
    return await world.read.generations.list_own(
        owner.id, status=status, is_public=is_public, page=page or PageRequest()
    )
