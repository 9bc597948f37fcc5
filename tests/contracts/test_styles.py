import unicodedata
from datetime import timedelta

import msgspec
import pytest

from core.accounts.model import User
from core.identifiers import ArtworkId, StyleId, UserId
from core.paging import Page, PageRequest
from core.requester import Requester, Role
from core.styles.errors import DuplicateStyleName, StyleNotFound
from core.styles.model import SAMPLES, Artwork, License, Offer, Rights, Style, TrainingProgress, TrainingStatus
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
from core.tasks.outcome import Failure, Outcome
from tests.contracts.lists import walk
from tests.contracts.overlap import Block, Work, commit, race, sending
from tests.support.world import Scope, World

# --- the repository ---------------------------------------------------------------------------------------------------


async def test_a_style_is_found_again_as_it_was_added(world: World) -> None:
    mia = await world.artist("mia")
    style = Style(
        id=await world.ids.style(),
        artist_id=mia.id,
        name="먹 Ink",
        description="검은 먹",
        generation_cost_tokens=10_000,
        license_type=License.EXCLUSIVE,
        tags=["ink", "black and white"],
        task_id=world.ids.task(),
        created_at=world.clock.now(),
        updated_at=world.clock.advance(timedelta(microseconds=1)),
        rights=Rights(world.clock.now(), explicit=False, version=7),
        training_status=TrainingStatus.TRAINING,
        is_active=False,
        show_samples=False,
        valid_from=world.clock.now() - timedelta(days=1),
        valid_to=world.clock.now() + timedelta(days=1),
        model_path="gs://models/1",
        training_metric={"loss": 0.25, "epochs": 200, "notes": ["a", None, {"b": True}]},
        progress=TrainingProgress(3, 200, 1.5, 300, world.clock.now()),
        failure=Failure("TRAINING_ERROR", "Never mind."),
    )
    await commit(world, lambda ports: ports.styles.add(style, []))

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == style
    assert await commit(world, lambda ports: ports.styles.of_id(style.id, lock=True)) == style


async def test_a_style_without_the_optional_is_kept_as_well(world: World) -> None:
    style = await world.untrained_style(await world.artist(), tags=[])

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == style


async def test_a_saved_entity_is_stored(world: World) -> None:
    style = await world.untrained_style(await world.artist())
    failed = style.fail_training(at=world.clock.advance(), failure=Failure("LOW_QUALITY_DATA", "Too dark."))
    await commit(world, lambda ports: ports.styles.save(failed))
    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == failed

    trained = failed.complete_training(at=world.clock.advance(), model_path="gs://models/1", metric={"loss": 0.1})
    await commit(world, lambda ports: ports.styles.save(trained))
    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == trained


async def test_saving_waits_for_the_lock_of_the_style(world: World) -> None:
    style = await world.untrained_style(await world.artist())
    failed = style.fail_training(at=world.clock.now(), failure=Failure("TRAINING_ERROR", "Out of paint."))

    locking = await Block(world, lambda ports: ports.styles.of_id(style.id, lock=True)).open()
    saving = await Block(world, sending(lambda ports: ports.styles.save(failed))).waits()

    assert await locking.commit() == style
    await saving.commit()
    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == failed


async def test_a_style_that_is_not_there_is_not_found(world: World) -> None:
    style = await world.style(await world.artist("mia"))
    nothing = await world.ids.style()

    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.of_id(nothing))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.of_id(nothing, lock=True))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.offer(nothing))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.save(msgspec.structs.replace(style, id=nothing)))
    with pytest.raises(StyleNotFound):
        await advance(world, nothing, epoch=1)
    with pytest.raises(StyleNotFound):
        await world.read.styles.detail(nothing, viewer=None)


async def test_a_returned_entity_is_independent_of_the_stored_one(world: World) -> None:
    style = await world.style(await world.artist(), tags=["ink"])

    (await commit(world, lambda ports: ports.styles.of_id(style.id))).tags.append("smuggled")
    (await world.read.styles.detail(style.id, viewer=None)).tags.append("smuggled")
    style.tags.append("smuggled")

    assert (await commit(world, lambda ports: ports.styles.of_id(style.id))).tags == ["ink"]
    assert (await world.read.styles.detail(style.id, viewer=None)).tags == ["ink"]


async def test_a_name_is_the_artists_only_once(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    await world.untrained_style(mia, "Ink")

    with pytest.raises(DuplicateStyleName):
        await world.untrained_style(mia, "Ink")

    await world.untrained_style(mia, "Inks")
    await world.untrained_style(max_, "Ink")
    assert await names(world, mia) == ["ink", "inks"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("한글수채화", unicodedata.normalize("NFD", "한글수채화")),
        ("Ink", "INK"),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("❤\ufe0f", "❤"),
    ],
)
async def test_names_that_look_alike_or_differ_in_case_are_one_name(world: World, one: str, other: str) -> None:
    """The repository itself is asked: whatever a use case looked up before, the store refuses the second one."""
    mia = await world.artist("mia")
    await world.untrained_style(mia, one)

    with pytest.raises(DuplicateStyleName):
        await world.untrained_style(mia, other)

    style = (await own(world, mia)).rows[0]
    assert style.name == one
    await commit(world, lambda ports: ports.styles.remove(style.id))
    await world.untrained_style(mia, other)


async def test_of_two_styles_with_one_name_at_once_one_is_refused(world: World, sent: bool) -> None:
    mia = await world.artist("mia")

    async def add(ports: Scope) -> StyleId:
        style = await new_style(world, mia)
        await ports.styles.add(style, [artwork(style, await world.ids.artwork())])
        return style.id

    ended = await race(world, add, add, sent=sent)

    assert isinstance(ended.second, DuplicateStyleName)
    assert [card.id for card in (await own(world, mia)).rows] == [ended.first]


async def test_a_name_is_free_again_after_a_rollback(world: World) -> None:
    mia = await world.artist("mia")

    async def add(ports: Scope) -> None:
        await ports.styles.add(await new_style(world, mia), [])

    first = await Block(world, sending(add)).open()
    second = Block(world, sending(add))
    await second.worked_or_waits()
    await first.roll_back()

    assert await second.commit() is None
    assert await names(world, mia) == ["ink"]


async def test_a_portfolio_names_all_styles_of_the_artist_alone(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    await world.style(mia, "Ink")
    await world.style(mia, "Oil", is_active=False)
    await world.untrained_style(mia, "Chalk")
    await world.style(max_, "Pencil")

    assert await names(world, mia) == ["chalk", "ink", "oil"]
    assert await names(world, await world.artist("eve")) == []


async def test_a_locked_portfolio_grows_by_one_at_a_time(world: World) -> None:
    mia = await world.artist("mia")

    def add(name: str) -> Work:
        async def work(ports: Scope) -> list[str]:
            portfolio = await ports.styles.portfolio(mia.id, lock=True)
            await ports.styles.add(await new_style(world, mia, name), [])
            return portfolio.name_keys

        return work

    first = await Block(world, add("Ink")).open()
    second = await Block(world, add("Oil")).waits()

    assert await first.commit() == []
    assert await second.commit() == ["ink"]


async def test_portfolios_of_two_artists_do_not_wait_for_each_other(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")

    one = await Block(world, lambda ports: ports.styles.portfolio(mia.id, lock=True)).open()
    other = await Block(world, lambda ports: ports.styles.portfolio(max_.id, lock=True)).open()

    await one.commit()
    await other.commit()


async def test_an_offer_says_what_a_request_needs(world: World) -> None:
    mia = await world.artist("mia")
    now = world.clock.now()
    style = await world.style(mia, license_type=License.EXCLUSIVE, valid_from=now, valid_to=now + timedelta(days=1))
    pending = await world.untrained_style(mia, "Oil", is_active=False)

    assert await commit(world, lambda ports: ports.styles.offer(style.id)) == Offer(
        style_id=style.id,
        artist_id=mia.id,
        generation_cost_tokens=30,
        license_type=License.EXCLUSIVE,
        training_status=TrainingStatus.COMPLETED,
        is_active=True,
        valid_from=now,
        valid_to=now + timedelta(days=1),
        model_path=style.model_path,
        signature_key=f"signatures/{mia.id}/signature.png",
    )
    offer = await commit(world, lambda ports: ports.styles.offer(pending.id))
    assert (offer.training_status, offer.is_active, offer.model_path) == (TrainingStatus.PENDING, False, None)


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_progress_starts_a_training_and_moves_it_on(world: World) -> None:
    style = await world.untrained_style(await world.artist())

    for epoch in (1, 2, 50):
        at = world.clock.advance()
        assert await advance(world, style.id, epoch=epoch) == Outcome(applied=True, status="training")
        found = await commit(world, lambda ports: ports.styles.of_id(style.id))
        assert found.training_status is TrainingStatus.TRAINING
        assert found.progress == TrainingProgress(epoch, 200, epoch / 2, 300, at)


@pytest.mark.parametrize("epoch", [4, 5])
async def test_progress_never_goes_back(world: World, epoch: int) -> None:
    style = await world.untrained_style(await world.artist())
    await advance(world, style.id, epoch=5)
    before = await commit(world, lambda ports: ports.styles.of_id(style.id))
    world.clock.advance()

    assert await advance(world, style.id, epoch=epoch) == Outcome(applied=False, status="training")

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == before


async def test_progress_after_the_end_changes_nothing(world: World) -> None:
    mia = await world.artist("mia")
    trained = await world.style(mia, "Ink")
    failed = await untrained(world, mia, "Oil")

    assert await advance(world, trained.id, epoch=5) == Outcome(applied=False, status="completed")
    assert await advance(world, failed.id, epoch=5) == Outcome(applied=False, status="failed")

    assert await commit(world, lambda ports: ports.styles.of_id(trained.id)) == trained
    assert await commit(world, lambda ports: ports.styles.of_id(failed.id)) == failed


async def test_progress_waits_for_an_end_that_is_being_written_and_yields_to_it(world: World) -> None:
    style = await world.untrained_style(await world.artist())
    trained = style.complete_training(at=world.clock.now(), model_path="gs://models/1", metric=None)

    async def complete(ports: Scope) -> None:
        await ports.styles.of_id(style.id, lock=True)
        await ports.styles.save(trained)
        await ports.styles.of_id(style.id)

    completing = await Block(world, complete).open()
    progressing = await Block(world, lambda ports: ports.styles.advance(style.id, progress(world, 5))).waits()
    await completing.commit()

    assert await progressing.commit() == Outcome(applied=False, status="completed")
    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == trained


async def test_progress_is_kept_whatever_becomes_of_the_block_around_it(world: World) -> None:
    style = await world.untrained_style(await world.artist())

    async def work(ports: Scope) -> None:
        await ports.styles.advance(style.id, progress(world, 5))

    block = await Block(world, work).open()
    await block.roll_back()

    found = await commit(world, lambda ports: ports.styles.of_id(style.id))
    assert found.progress == progress(world, 5)


# --- as people see it -------------------------------------------------------------------------------------------------


async def test_a_list_shows_trained_active_styles_newest_first(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    first = await world.style(mia, "Ink")
    await untrained(world, mia, "Failed")
    await world.untrained_style(mia, "Pending")
    await world.style(mia, "Closed", is_active=False)
    world.clock.advance()
    second = await world.style(max_, "Oil")

    assert await listed(world, StyleQuery()) == [second.id, first.id]


async def test_a_card(world: World) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia, tags=["ink", "black"], license_type=License.COMMERCIAL)
    ann = await world.user("ann", tokens=100)
    await world.image(ann, style)
    await world.image(ann, style, public=True)
    await world.generation(ann, style)

    [card] = (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows

    assert card == StyleCard(
        id=style.id,
        name="Ink",
        description="Black on white",
        thumbnail_url=await world.blobs.signed_url(f"samples/{style.id}/image_0.jpg"),
        artist=StyleArtist(mia.id, "mia", "Mia"),
        training_status="completed",
        generation_cost_tokens=30,
        license_type="commercial",
        usage_count=2,
        tags=["ink", "black"],
        created_at=style.created_at,
    )


async def test_a_card_has_no_thumbnail_where_the_artist_shows_no_samples(world: World) -> None:
    await world.style(await world.artist(), show_samples=False)

    [card] = (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows

    assert card.thumbnail_url is None


async def test_own_unfinished_styles_are_listed_for_their_owner_alone(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    trained = await world.style(mia, "Ink")
    pending = await world.untrained_style(mia, "Pending")
    failed = await untrained(world, mia, "Failed")
    training = await world.untrained_style(mia, "Training")
    await advance(world, training.id, epoch=1)
    await world.style(mia, "Closed", is_active=False)
    await world.untrained_style(max_, "Other")

    assert sorted(await listed(world, StyleQuery(own_unfinished=mia.id))) == sorted(
        [trained.id, pending.id, failed.id, training.id]
    )
    assert await listed(world, StyleQuery(own_unfinished=UserId(4711))) == [trained.id]


async def test_all_conditions_of_a_query_hold_at_once(world: World) -> None:
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
async def test_popular_is_by_the_artists_followers_then_newest(world: World, own_unfinished: bool) -> None:
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


async def test_artists_see_all_of_their_own(world: World) -> None:
    mia = await world.artist("mia")
    ann = await world.user("ann", tokens=200)
    closed = await world.style(mia, "Closed", is_active=False)
    await world.image(ann, closed)
    await world.image(ann, closed)
    await world.failed_generation(ann, closed)
    await world.generation(ann, closed)
    world.clock.advance()
    training = await world.untrained_style(mia, "Training")
    await advance(world, training.id, epoch=5)
    await world.style(await world.artist("max"), "Other")

    cards = (await own(world, mia)).rows

    assert [card.id for card in cards] == [training.id, closed.id]
    assert (cards[0].training_status, cards[0].progress) == ("training", progress(world, 5))
    assert (cards[0].usage_count, cards[0].total_earned_tokens) == (0, 0)
    assert cards[1] == OwnStyleCard(
        id=closed.id,
        name="Closed",
        description="Black on white",
        thumbnail_url=await world.blobs.signed_url(f"samples/{closed.id}/image_0.jpg"),
        artist=StyleArtist(mia.id, "mia", "Mia"),
        training_status="completed",
        generation_cost_tokens=30,
        license_type="personal",
        usage_count=2,
        tags=["closed"],
        created_at=closed.created_at,
        total_earned_tokens=60,
        progress=None,
    )


async def test_detail_for_anybody(world: World) -> None:
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

    expected = StyleDetail(
        id=style.id,
        name="Ink",
        description="Black on white",
        thumbnail_url=await world.blobs.signed_url(f"samples/{style.id}/image_0.jpg"),
        artist=StyleDetailArtist(mia.id, "mia", "Mia", profile_image=None, follower_count=1),
        training_status="completed",
        generation_cost_tokens=30,
        license_type="personal",
        usage_count=3,
        tags=["ink"],
        created_at=style.created_at,
        valid_from=None,
        valid_to=style.valid_to,
        is_active=True,
        updated_at=style.updated_at,
        stats=StyleStats(total_generations=3, avg_likes=1.5),
        sample_artworks=[
            SampleArtwork(
                artwork.id,
                await world.blobs.signed_url(f"samples/{style.id}/image_{artwork.index}.jpg"),
                ["ink", f"number {artwork.index}"],
            )
            for artwork in await commit(world, lambda ports: ports.styles.artworks(style.id))
            if artwork.index < SAMPLES
        ],
        progress=None,
    )
    for viewer in (None, requester(ann)):
        detail = await world.read.styles.detail(style.id, viewer=viewer)
        assert type(detail) is StyleDetail
        assert detail == expected


async def test_the_average_of_likes_is_taken_of_the_latest_images(world: World) -> None:
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
    trained = style.complete_training(at=world.clock.now(), model_path="gs://models/1", metric={"loss": 0.1})
    await commit(world, lambda ports: ports.styles.save(trained))

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
    await advance(world, training.id, epoch=5)
    failed = await untrained(world, mia, "Failed")

    assert (await world.read.styles.detail(training.id, viewer=requester(mia))).progress == progress(world, 5)
    detail = await world.read.styles.detail(failed.id, viewer=requester(mia))
    assert isinstance(detail, OwnStyleDetail)
    assert detail.failure == Failure("TRAINING_ERROR", "Out of paint.")


async def untrained(world: World, artist: User, name: str) -> Style:
    """A style whose training has failed."""
    style = await world.untrained_style(artist, name)
    failed = style.fail_training(at=world.clock.now(), failure=Failure("TRAINING_ERROR", "Out of paint."))
    await commit(world, lambda ports: ports.styles.save(failed))
    return failed


async def new_style(world: World, artist: User, name: str = "Ink") -> Style:
    now = world.clock.now()
    return Style(
        id=await world.ids.style(),
        artist_id=artist.id,
        name=name,
        description="",
        generation_cost_tokens=1,
        license_type=License.PERSONAL,
        tags=[],
        task_id=world.ids.task(),
        created_at=now,
        updated_at=now,
        rights=Rights(now, explicit=True),
    )


def artwork(style: Style, id: ArtworkId) -> Artwork:
    return Artwork(id, style.id, 0, f"training/{style.id}/image_0.png", "png", 512, 512, 1, None, [])


def progress(world: World, epoch: int) -> TrainingProgress:
    return TrainingProgress(epoch, 200, epoch / 2, 300, world.clock.now())


async def advance(world: World, style_id: StyleId, *, epoch: int) -> Outcome:
    return await world.scope().styles.advance(style_id, progress(world, epoch))


async def names(world: World, artist: User) -> list[str]:
    return sorted((await commit(world, lambda ports: ports.styles.portfolio(artist.id))).name_keys)


async def own(world: World, artist: User) -> Page[OwnStyleCard]:
    return await world.read.styles.list_own(artist.id, page=PageRequest())


async def listed(world: World, query: StyleQuery, *, limit: int = 20) -> list[StyleId]:
    async def read(page: PageRequest) -> Page[StyleCard]:
        return await world.read.styles.list(query, page=page)

    return [card.id for page in await walk(read, limit=limit) for card in page]


def requester(user: User, *, is_artist: bool = False) -> Requester:
    return Requester(user.id, user.role, is_artist)
