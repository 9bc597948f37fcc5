"""Editing, closing, deleting and retraining styles, also concurrently with generation requests."""

import asyncio
from datetime import timedelta
from io import BytesIO

import msgspec
import pytest

from core.accounts.model import User
from core.errors import Forbidden, ValidationError
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import GrantedLicense
from core.identifiers import StyleId
from core.paging import PageRequest
from core.ports.blob_store import Blob
from core.requester import Requester, Role
from core.styles.close_expired_styles import CloseExpiredStyles
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import StyleNotFound, StyleNotReady, StyleUsed, TrainingInProgress
from core.styles.fail_training import FailTraining
from core.styles.model import License, Style
from core.styles.retrain_style import RetrainStyle
from core.styles.version import RETRY_UNDECIDED, TrainingStatus
from core.styles.views import CreatedStyle, OwnStyleDetail, StyleQuery
from core.tasks.outcome import Failure
from tests.contracts.overlap import Block, commit
from tests.support.derivatives import originals
from tests.support.pictures import picture
from tests.support.scope import Scope
from tests.support.world import World, hold_for

TRAINING_FAILED = Failure("GPU_OOM", "Out of memory.")


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia)


async def stored(world: World, style: Style) -> Style:
    return await commit(world, lambda ports: ports.styles.of_id(style.id))


async def detail(world: World, style: Style) -> OwnStyleDetail:
    found = await world.read.styles.detail(style.id, viewer=Requester(style.artist_id, Role.ARTIST, True))
    assert isinstance(found, OwnStyleDetail)
    return found


async def edit(world: World, style: Style, changes: StyleChanges, thumbnail: bytes | None = None) -> None:
    picture = BytesIO(thumbnail) if thumbnail else None
    await world.use_case(EditStyle)(style.artist_id, style.id, changes, picture)


async def failed_style(world: World, artist: User) -> Style:
    style = await world.untrained_style(artist)
    await world.use_case(FailTraining)(style.version_id, TRAINING_FAILED)
    return await stored(world, style)


# --- editing ----------------------------------------------------------------------------------------------------------


async def test_only_given_fields_are_changed(world: World, style: Style) -> None:
    world.clock.advance()
    at = world.clock.now()

    await edit(world, style, StyleChanges(description="  Softer "))
    assert await stored(world, style) == msgspec.structs.replace(style, description="Softer", updated_at=at)

    asked = StyleChanges("Bold", 99, License.COMMERCIAL, at + timedelta(days=1), False, False)
    await edit(world, style, asked)
    shown = await detail(world, style)
    assert (shown.description, shown.generation_cost_tokens, shown.license_type) == ("Bold", 99, "commercial")
    assert (shown.valid_to, shown.is_active, shown.sample_artworks) == (at + timedelta(days=1), False, [])
    assert (shown.name, shown.tags, shown.training_status) == (style.name, style.tags, "completed")

    await edit(world, style, StyleChanges(valid_to=None))
    assert (await detail(world, style)).valid_to is None


async def test_a_new_price_applies_to_later_requests(world: World, ann: User, style: Style) -> None:
    before = await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))

    await edit(world, style, StyleChanges(generation_cost_tokens=70))
    after = await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))

    assert (before.consumed_tokens, after.consumed_tokens) == (30, 70)
    kept = await world.read.generations.detail(before.id, viewer=ann.id)
    assert kept.consumed_tokens == 30
    assert (await world.funds(ann.id)).held_tokens == 100


async def test_a_generation_keeps_its_licence(world: World, ann: User, style: Style) -> None:
    before = await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))

    await edit(world, style, StyleChanges(license_type=License.EXCLUSIVE))
    after = await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))

    kept, new = [await world.read.generations.detail(made.id, viewer=ann.id) for made in (before, after)]
    assert (kept.license, new.license) == (GrantedLicense("personal", 1), GrantedLicense("exclusive", 1))


async def test_a_style_is_closed_after_valid_to(world: World, mia: User, ann: User) -> None:
    now = world.clock.now()
    later, latest = now + timedelta(days=2), now + timedelta(days=3)
    for name, end in (("Soon", now + timedelta(days=1)), ("Later", later), ("Latest", latest), ("Never", None)):
        await world.style(mia, name, valid_to=end)
    await world.style(mia, "Closed", valid_to=now, is_active=False)
    close = world.use_case(CloseExpiredStyles)

    assert await close() == 0
    world.clock.advance(later - now)
    assert [await close(limit=1), await close(), await close()] == [1, 1, 0]

    listed = await world.read.styles.list(StyleQuery(), page=PageRequest())
    assert {card.name for card in listed.rows} == {"Latest", "Never"}


async def test_an_extended_style_is_not_closed(world: World, mia: User) -> None:
    """As when its owner prolongs or deletes it after it was found."""
    now = world.clock.now()
    extended = await world.style(mia, valid_to=now + timedelta(days=1))
    scope = world.scope()

    class Found:
        of_id, save = scope.styles.of_id, scope.styles.save

        async def expired(self, **_: object) -> list[StyleId]:
            return [await world.ids.style(), extended.id]

    assert await world.use_case(CloseExpiredStyles, scope, styles=Found())() == 2
    assert (await stored(world, extended)).is_active


async def test_a_closed_style_refuses_requests_until_reopened(world: World, ann: User, style: Style) -> None:
    await edit(world, style, StyleChanges(is_active=False))
    with pytest.raises(StyleNotReady):
        await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))

    await edit(world, style, StyleChanges(is_active=True))
    await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))


async def test_only_a_trained_style_can_be_edited(world: World, mia: User) -> None:
    for style in (await world.untrained_style(mia), await failed_style(world, await world.artist("zoe"))):
        with pytest.raises(StyleNotReady):
            await edit(world, style, StyleChanges(description="x"), picture())
    assert await world.blobs.keys("public/") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (StyleChanges(generation_cost_tokens=0), "generation_cost_tokens"),
        (StyleChanges(generation_cost_tokens=10_001), "generation_cost_tokens"),
        (StyleChanges(description="x" * 2001), "description"),
    ],
)
async def test_invalid_terms_change_nothing(world: World, style: Style, changes: StyleChanges, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        await edit(world, style, changes, picture())

    assert set(refused.value.details or {}) == {field}
    assert await stored(world, style) == style
    assert await world.blobs.keys("public/") == []


async def test_valid_to_before_valid_from_is_refused(world: World, mia: User) -> None:
    now = world.clock.now()
    style = await world.style(mia, valid_from=now)

    with pytest.raises(ValidationError):
        await edit(world, style, StyleChanges(valid_to=now))


async def test_a_new_thumbnail_replaces_the_previous_one(world: World, style: Style) -> None:
    sample = (await detail(world, style)).thumbnail_url

    await edit(world, style, StyleChanges(show_samples=False), picture())
    [first] = originals(await world.blobs.keys("public/styles/"))
    assert (await detail(world, style)).thumbnail_url == world.blobs.public_url(first) != sample
    [card] = (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows
    assert card.thumbnail_url == world.blobs.public_url(first)

    await edit(world, style, StyleChanges(), picture(format="jpeg"))
    [second] = originals(await world.blobs.keys("public/styles/"))
    assert second.endswith(".jpg")
    assert (await stored(world, style)).thumbnail_key == second != first


async def test_only_the_artist_can_change_a_style(world: World, style: Style, mia: User) -> None:
    zoe = await world.artist("zoe")
    hidden = await failed_style(world, await world.artist("kim"))
    for other, refusal in ((style, Forbidden), (hidden, StyleNotFound)):
        for call in (
            world.use_case(EditStyle)(zoe.id, other.id, StyleChanges(description="mine")),
            world.use_case(DeleteStyle)(zoe.id, other.id),
            world.use_case(RetrainStyle)(zoe.id, other.id),
        ):
            with pytest.raises(refusal):
                await call
        assert await stored(world, other) == other


# --- deleting ---------------------------------------------------------------------------------------------------------


async def with_objects(world: World, style: Style) -> Style:
    """The style with an artwork, its caption, a thumbnail and a model in the store, and another artist's beside it."""
    model = f"models/{style.id}.safetensors"
    version = msgspec.structs.replace(await world.training_of(style.id), model_path=world.blobs.uri(model))
    style = msgspec.structs.replace(style, model_path=version.model_path, thumbnail_key="public/styles/1/x.png")
    await commit(world, lambda ports: ports.styles.save(style))
    await commit(world, lambda ports: ports.versions.save(version))
    keys = [f"training/{style.id}/image_0.jpg", f"training/{style.id}/image_0.txt", model, "public/styles/1/x.png"]
    for key in [*keys, f"training/{style.id}0/image_0.jpg"]:
        await world.blobs.put(Blob(key, BytesIO(b"x"), "image/jpeg"))
    return style


async def test_deleting_an_unused_style_removes_its_objects_and_frees_its_name(
    world: World, mia: User, style: Style
) -> None:
    await with_objects(world, style)
    assert style.model_path is not None

    await world.use_case(DeleteStyle)(mia.id, style.id)

    with pytest.raises(StyleNotFound):
        await stored(world, style)
    others = [key for key in await world.blobs.keys("") if not key.startswith("signatures/")]
    assert others == [f"training/{style.id}0/image_0.jpg"]
    assert await commit(world, lambda ports: ports.versions.artworks(style.version_id)) == []
    await world.style(mia, style.name)
    with pytest.raises(StyleNotFound):
        await world.use_case(DeleteStyle)(mia.id, style.id)


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_deleting_a_used_style_closes_it(world: World, mia: User, ann: User, style: Style, outcome: str) -> None:
    style = await with_objects(world, style)
    made = world.image if outcome == "completed" else world.failed_generation
    image = await made(ann, style)
    objects = await world.blobs.keys("")

    await world.use_case(DeleteStyle)(mia.id, style.id)

    assert not (await stored(world, style)).is_active
    assert (await world.read.generations.detail(image.id, viewer=ann.id)).style.id == style.id
    assert await world.blobs.keys("") == objects
    assert (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows == []


async def test_an_untrained_style_can_be_deleted(world: World, mia: User) -> None:
    style = await world.untrained_style(mia)

    await world.use_case(DeleteStyle)(mia.id, style.id)

    with pytest.raises(StyleNotFound):
        await stored(world, style)


async def test_a_first_request_before_the_deletion_keeps_the_style(world: World, ann: User, style: Style) -> None:
    image = await world.unsaved_generation(ann, style)

    async def request(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(image))
        await ports.generations.add(image)
        await ports.users.username_taken("nobody")  # sends what is held back

    requesting = await Block(world, request).open()
    removing = Block(world, lambda ports: ports.styles.remove(style.id))
    await removing.worked_or_waits()
    await requesting.commit()

    assert isinstance(await removing.commit(), StyleUsed)
    assert await stored(world, style) == style


async def test_a_first_request_after_the_deletion_is_refused(world: World, ann: User, style: Style) -> None:
    image = await world.unsaved_generation(ann, style)

    async def remove(ports: Scope) -> None:
        await ports.styles.remove(style.id)
        await ports.users.username_taken("nobody")  # sends what is held back

    async def request(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(image))
        await ports.generations.add(image)
        await ports.users.username_taken("nobody")

    removing = await Block(world, remove).open()
    requesting = Block(world, request)
    await requesting.worked_or_waits()
    await removing.commit()

    assert isinstance(await requesting.commit(), StyleNotFound)
    balance = await world.funds(ann.id)
    assert (balance.token_balance, balance.held_tokens) == (1000, 0)


async def test_deleting_a_style_races_with_first_requests(world: World, mia: User, ann: User, style: Style) -> None:
    requests = [world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"])) for _ in range(6)]
    calls = [*requests[:3], world.use_case(DeleteStyle)(mia.id, style.id), *requests[3:]]

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    made = [one for one in outcomes if one is not None and not isinstance(one, BaseException)]
    assert all(isinstance(one, StyleNotFound | StyleNotReady) for one in outcomes if isinstance(one, BaseException))
    assert (await world.funds(ann.id)).held_tokens == 30 * len(made)
    if made:
        assert not (await stored(world, style)).is_active
    else:
        with pytest.raises(StyleNotFound):
            await stored(world, style)


# --- retraining -------------------------------------------------------------------------------------------------------


async def test_a_failed_style_is_retrained_on_the_same_images(world: World, mia: User) -> None:
    style = await failed_style(world, mia)
    before = await world.training_of(style.id)
    world.clock.advance()

    answer = await world.use_case(RetrainStyle)(mia.id, style.id)

    assert answer == CreatedStyle(style.id, style.name, "pending", 10, style.created_at, None)
    now = await world.training_of(style.id)
    assert now == msgspec.structs.replace(
        before,
        training_status=TrainingStatus.PENDING,
        task_id=now.task_id,
        failure=None,
        retried_at=world.clock.now(),
        updated_at=world.clock.now(),
    )
    [task] = await world.tasks()
    body = msgspec.json.decode(task.body)
    assert (task.task_id, task.queue, body["data"]["style_id"]) == (now.task_id, "model_training", style.id)
    assert now.task_id != before.task_id
    assert body["data"]["images"] == [world.blobs.uri(f"training/{style.id}/image_{n}.jpg") for n in range(10)]
    assert body["data"]["tags"] == [*style.tags, *(f"number {index}" for index in range(10))]


async def test_the_artist_is_notified_of_each_failed_training(world: World, mia: User) -> None:
    style = await failed_style(world, mia)
    await world.use_case(RetrainStyle)(mia.id, style.id)
    world.clock.advance(RETRY_UNDECIDED)
    await world.use_case(FailTraining)(style.version_id, TRAINING_FAILED)

    _, unread = await world.read.notifications.list(mia.id, unread_only=True, page=PageRequest())
    assert unread == 2


async def test_only_a_failed_training_can_be_retried(world: World, mia: User, style: Style) -> None:
    for other in (style, await world.untrained_style(mia, "Oil")):
        with pytest.raises(TrainingInProgress):
            await world.use_case(RetrainStyle)(mia.id, other.id)
    assert await world.tasks() == []


async def test_one_of_many_concurrent_retrainings_starts(world: World, mia: User) -> None:
    style = await failed_style(world, mia)

    outcomes = await asyncio.gather(
        *(world.use_case(RetrainStyle)(mia.id, style.id) for _ in range(8)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CreatedStyle", *["TrainingInProgress"] * 7]
    assert len(await world.tasks()) == 1


async def test_a_second_retraining_waits_for_the_first(world: World, mia: User) -> None:
    style = await failed_style(world, mia)

    async def retrain(ports: Scope) -> None:
        found = await ports.versions.of_id(style.version_id, lock=True)
        await ports.versions.save(found.retrain(at=world.clock.now(), task_id=world.ids.task()))

    first = await Block(world, retrain).open()
    second = await Block(world, retrain).waits()
    await first.commit()

    assert isinstance(await second.outcome(), TrainingInProgress)
