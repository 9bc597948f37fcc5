"""Styles as readers show them: lists, details, recommended tags."""

from datetime import timedelta

import msgspec
import pytest

from core.accounts.model import User
from core.identifiers import StyleId, UserId
from core.paging import Page, PageRequest
from core.requester import Requester, Role
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound
from core.styles.model import License
from core.styles.version import SAMPLES
from core.styles.views import (
    LIKED,
    ArtworkView,
    OwnStyleCard,
    OwnStyleDetail,
    SampleArtwork,
    StyleArtist,
    StyleCard,
    StyleDetail,
    StyleDetailArtist,
    StyleQuery,
    StyleSort,
    StyleStats,
)
from core.tasks.outcome import Failure
from tests.contracts.lists import walk
from tests.contracts.overlap import commit
from tests.contracts.styles import advance, own, progress, untrained
from tests.support.derivatives import signed_urls
from tests.support.world import World


async def test_a_list_shows_trained_active_styles_newest_first(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    first = await world.style(mia, "Ink")
    await untrained(world, mia, "Failed")
    await world.untrained_style(mia, "Pending")
    await world.style(mia, "Closed", is_active=False)
    world.clock.advance()
    second = await world.style(max_, "Oil")

    assert await listed(world, StyleQuery()) == [second.id, first.id]


async def test_style_card(world: World) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia, tags=["ink", "black"], license_type=License.COMMERCIAL)
    ann = await world.user("ann", tokens=100)
    await world.image(ann, style)
    await world.image(ann, style, public=True)
    await world.generation(ann, style)

    [card] = (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows

    images = await signed_urls(f"samples/{style.id}/image_0.jpg", world.blobs)
    assert card == StyleCard(
        id=style.id,
        name="Ink",
        description="Black on white",
        thumbnail_url=images.original,
        images=images,
        artist=StyleArtist(mia.id, "mia", "Mia"),
        training_status="completed",
        generation_cost_tokens=30,
        license_type="commercial",
        usage_count=2,
        tags=["ink", "black"],
        created_at=style.created_at,
    )


async def test_style_card_without_samples_has_no_thumbnail(world: World) -> None:
    await world.style(await world.artist(), show_samples=False)

    [card] = (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows

    assert card.thumbnail_url is None


async def test_unfinished_styles_are_listed_for_their_owner_only(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    trained = await world.style(mia, "Ink")
    pending = await world.untrained_style(mia, "Pending")
    failed = await untrained(world, mia, "Failed")
    training = await world.untrained_style(mia, "Training")
    await advance(world, training.version_id, epoch=1)
    await world.style(mia, "Closed", is_active=False)
    await world.untrained_style(max_, "Other")

    assert sorted(await listed(world, StyleQuery(own_unfinished=mia.id))) == sorted(
        [trained.id, pending.id, failed.id, training.id]
    )
    assert await listed(world, StyleQuery(own_unfinished=UserId(4711))) == [trained.id]


async def test_list_filters_are_combined(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    ink = await world.style(mia, "Ink", tags=["ink", "black", "paper"])
    oil = await world.style(mia, "Oil", tags=["oil", "paper"])
    pencil = await world.style(max_, "Pencil", tags=["black", "paper"])
    chalk = await world.untrained_style(mia, "Chalk", tags=["black", "paper"])

    assert set(await listed(world, StyleQuery(tags=["paper"]))) == {ink.id, oil.id, pencil.id}
    assert set(await listed(world, StyleQuery(tags=["paper", "black"]))) == {ink.id, pencil.id}
    assert await listed(world, StyleQuery(tags=["paper", "ink"])) == [ink.id]
    assert await listed(world, StyleQuery(tags=["pape"])) == []
    assert set(await listed(world, StyleQuery(artist_id=mia.id))) == {ink.id, oil.id}
    assert await listed(world, StyleQuery(artist_id=mia.id, tags=["black"])) == [ink.id]
    both = StyleQuery(artist_id=mia.id, tags=["black"], own_unfinished=mia.id)
    assert set(await listed(world, both)) == {ink.id, chalk.id}


@pytest.mark.parametrize("own_unfinished", [False, True])
async def test_popular_sorts_by_followers_then_newest(world: World, own_unfinished: bool) -> None:
    mia, max_, eve = [await world.artist(name) for name in ("mia", "max", "eve")]
    ink, oil, pencil, chalk = [
        await world.style(artist, name, created_at=world.clock.advance())
        for artist, name in ((mia, "Ink"), (max_, "Oil"), (mia, "Pencil"), (eve, "Chalk"))
    ]
    ann, bob = await world.user("ann"), await world.user("bob")
    await world.follow(ann, mia)
    await world.follow(ann, max_)
    await world.follow(bob, mia)
    query = StyleQuery(sort=StyleSort.POPULAR, own_unfinished=eve.id if own_unfinished else None)

    assert await listed(world, query) == [pencil.id, ink.id, oil.id, chalk.id]
    assert await listed(world, query, limit=1) == [pencil.id, ink.id, oil.id, chalk.id]


async def test_artists_see_all_their_own_styles(world: World) -> None:
    mia = await world.artist("mia")
    ann = await world.user("ann", tokens=200)
    closed = await world.style(mia, "Closed", is_active=False)
    await world.image(ann, closed)
    await world.image(ann, closed)
    await world.failed_generation(ann, closed)
    await world.generation(ann, closed)
    world.clock.advance()
    training = await world.untrained_style(mia, "Training")
    await advance(world, training.version_id, epoch=5)
    await world.style(await world.artist("max"), "Other")

    cards = (await own(world, mia)).rows

    assert [card.id for card in cards] == [training.id, closed.id]
    assert (cards[0].training_status, cards[0].progress) == ("training", progress(world, 5))
    assert (cards[0].usage_count, cards[0].total_earned_tokens) == (0, 0)
    images = await signed_urls(f"samples/{closed.id}/image_0.jpg", world.blobs)
    assert cards[1] == OwnStyleCard(
        id=closed.id,
        name="Closed",
        description="Black on white",
        thumbnail_url=images.original,
        images=images,
        artist=StyleArtist(mia.id, "mia", "Mia"),
        training_status="completed",
        generation_cost_tokens=30,
        license_type="personal",
        usage_count=2,
        tags=["closed"],
        created_at=closed.created_at,
        total_earned_tokens=60,
        progress=None,
        checking=None,
    )


async def test_detail_for_everybody(world: World) -> None:
    mia = await world.artist("mia")
    ann, bob = await world.user("ann", tokens=200), await world.user("bob")
    await world.follow(ann, mia)
    style = await world.style(mia, valid_to=world.clock.now() + timedelta(days=1))
    public = [await world.image(ann, style, public=True) for _ in range(2)]
    private = await world.image(ann, style)
    await world.like(ann, public[0])
    await world.like(bob, public[0])
    await world.like(bob, public[1])
    await world.like(ann, private)

    samples = [await signed_urls(f"samples/{style.id}/image_{index}.jpg", world.blobs) for index in range(SAMPLES)]
    expected = StyleDetail(
        id=style.id,
        name="Ink",
        description="Black on white",
        thumbnail_url=samples[0].original,
        images=samples[0],
        artist=StyleDetailArtist(mia.id, "mia", "Mia", profile_image=None, images=None, follower_count=1),
        training_status="completed",
        generation_cost_tokens=30,
        license_type="personal",
        usage_count=3,
        tags=["ink"],
        created_at=style.created_at,
        valid_from=None,
        valid_to=style.valid_to,
        is_active=True,
        version=1,
        updated_at=style.updated_at,
        stats=StyleStats(total_generations=3, avg_likes=1.5),
        sample_artworks=[
            SampleArtwork(
                artwork.id,
                samples[artwork.index].original,
                samples[artwork.index],
                ["ink", f"number {artwork.index}"],
            )
            for artwork in await commit(world, lambda ports: ports.versions.artworks(style.version_id))
            if artwork.index < SAMPLES
        ],
        progress=None,
    )
    for viewer in (None, requester(ann)):
        detail = await world.read.styles.detail(style.id, viewer=viewer)
        assert type(detail) is StyleDetail
        assert detail == expected


async def test_the_average_of_likes_covers_the_latest_generations(world: World) -> None:
    ann = await world.user("ann", tokens=1000)
    style = await world.style(await world.artist("mia"), generation_cost_tokens=1)
    await world.like(ann, await world.image(ann, style, public=True))
    world.clock.advance()
    await world.like(ann, await world.image(ann, style, public=True))
    world.clock.advance()
    for _ in range(LIKED - 1):
        await world.image(ann, style, public=True)

    assert (await world.read.styles.detail(style.id, viewer=None)).stats == StyleStats(LIKED + 1, 1 / LIKED)


async def test_detail_for_the_owner_and_for_admins(world: World) -> None:
    mia = await world.artist("mia")
    admin = msgspec.structs.replace(await world.user("admin"), role=Role.ADMIN)
    style = await world.untrained_style(mia, show_samples=False)
    await world.use_case(CompleteTraining)(style.version_id, model_path="gs://models/1", metric={"loss": 0.1})

    for viewer in (requester(mia, is_artist=True), requester(admin)):
        detail = await world.read.styles.detail(style.id, viewer=viewer)
        assert isinstance(detail, OwnStyleDetail)
        assert (detail.model_path, detail.training_metric, detail.failure) == ("gs://models/1", {"loss": 0.1}, None)
        assert (detail.sample_artworks, detail.thumbnail_url) == ([], None)
        assert len(detail.artworks) == 10
        shown = detail.artworks[3]
        assert shown == ArtworkView(
            id=shown.id,
            image_url=await world.blobs.signed_url(f"training/{style.id}/image_3.jpg"),
            caption="number 3",
            tags=["ink", "number 3"],
            width=512,
            height=768,
        )


async def test_a_style_without_images_has_no_likes(world: World) -> None:
    style = await world.style(await world.artist())

    assert (await world.read.styles.detail(style.id, viewer=None)).stats == StyleStats(0, 0.0)


async def test_unfinished_styles_are_hidden_from_others_and_closed_ones_are_not(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann")
    pending = await world.untrained_style(mia, "Pending")
    failed = await untrained(world, mia, "Failed")
    closed = await world.style(mia, "Closed", is_active=False)

    for hidden in (pending, failed):
        for viewer in (None, requester(ann)):
            with pytest.raises(StyleNotFound):
                await world.read.styles.detail(hidden.id, viewer=viewer)
        assert (await world.read.styles.detail(hidden.id, viewer=requester(mia))).id == hidden.id
    assert not (await world.read.styles.detail(closed.id, viewer=None)).is_active


async def test_detail_shows_progress_and_failure(world: World) -> None:
    mia = await world.artist("mia")
    training = await world.untrained_style(mia, "Training")
    await advance(world, training.version_id, epoch=5)
    failed = await untrained(world, mia, "Failed")

    assert (await world.read.styles.detail(training.id, viewer=requester(mia))).progress == progress(world, 5)
    detail = await world.read.styles.detail(failed.id, viewer=requester(mia))
    assert isinstance(detail, OwnStyleDetail)
    assert detail.failure == Failure("TRAINING_ERROR", "Out of paint.")


async def listed(world: World, query: StyleQuery, *, limit: int = 20) -> list[StyleId]:
    async def read(page: PageRequest) -> Page[StyleCard]:
        return await world.read.styles.list(query, page=page)

    return [card.id for page in await walk(read, limit=limit) for card in page]


def requester(user: User, *, is_artist: bool = False) -> Requester:
    return Requester(user.id, user.role, is_artist)
