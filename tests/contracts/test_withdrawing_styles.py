"""A style is withdrawn while others ask for images of it, publish them, and AI servers make them."""

from io import BytesIO

import pytest

from core.accounts.model import User
from core.audit.model import Operator, Source
from core.errors import Forbidden, ValidationError
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.fail_generation import FailGeneration
from core.generations.model import Status
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.identifiers import StyleId
from core.paging import PageRequest
from core.requester import Requester, Role
from core.styles.complete_training import CompleteTraining
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import ImagesWithdrawn, StyleNotFound, StyleNotReady, StyleWithdrawn
from core.styles.fail_training import FailTraining
from core.styles.model import Style
from core.styles.retrain_style import RetrainStyle
from core.styles.views import StyleQuery, TakedownView
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.outcome import Failure, Outcome
from tests.contracts.overlap import commit
from tests.contracts.takedowns import (
    NO,
    PRICE,
    advance,
    as_artist,
    check_books,
    complete,
    detail,
    feed,
    published,
    sold,
    stored,
    withdraw,
)
from tests.support.derivatives import originals
from tests.support.pictures import picture
from tests.support.world import World


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia, generation_cost_tokens=PRICE)


async def test_a_withdrawn_style_cannot_be_reopened(world: World, ann: User, mia: User, style: Style) -> None:
    at = world.clock.advance()

    await withdraw(world, style)

    shown = await detail(world, style)
    assert shown.takedown == TakedownView(at, "Mine.", by_admin=False, keeps_images=True, pending=False)
    assert (shown.is_active, shown.valid_to, len(shown.sample_artworks)) == (False, at, 4)
    assert (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows == []
    with pytest.raises(StyleNotReady):
        await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))
    with pytest.raises(StyleWithdrawn):
        await world.use_case(EditStyle)(mia.id, style.id, StyleChanges(is_active=True))


async def test_queued_generations_are_refunded_and_processing_ones_complete(
    world: World, ann: User, mia: User, style: Style
) -> None:
    queued = await world.generation(ann, style)
    begun, failing_one = await world.generation(ann, style), await world.generation(ann, style)
    for image in (begun, failing_one):
        await advance(world, image.id)
    retried = await world.generation(ann, style)
    await world.use_case(FailGeneration)(retried.id, Failure("GPU_OOM", "No."))

    await withdraw(world, style)

    assert await sold(world, ann, mia) == (1000 - 3 * PRICE, 3 * PRICE, 0)
    assert (await complete(world, begun.id)).applied
    assert (await complete(world, retried.id)).applied
    assert (await world.use_case(FailGeneration)(failing_one.id, NO)).applied
    assert await complete(world, queued.id) == Outcome(applied=False, status="cancelled")
    assert await sold(world, ann, mia) == (1000 - 2 * PRICE, 0, 2 * PRICE)
    await check_books(world)

    view = await world.read.generations.detail(queued.id, viewer=ann.id)
    assert (view.status, view.refunded, view.error_message) == ("cancelled", True, "The style was withdrawn.")
    notices = await world.read.notifications.list(ann.id, unread_only=False, page=PageRequest())
    told = {notice.target_id: notice for notice in notices[0].rows}
    assert told[queued.id].type == "generation_failed"
    assert told[queued.id].metadata == {
        "error_code": "STYLE_WITHDRAWN",
        "error_message": "The style was withdrawn.",
        "refunded_tokens": PRICE,
    }


async def test_only_generations_of_that_style_are_cancelled(world: World, ann: User, mia: User, style: Style) -> None:
    other = await world.generation(ann, await world.style(mia, "Oil"))

    await withdraw(world, style, keep_images=False)

    assert (await stored(world, other.id)).status is Status.QUEUED


async def test_published_images_are_kept_or_hidden_by_choice(world: World, ann: User, style: Style) -> None:
    await world.use_case(EditStyle)(style.artist_id, style.id, StyleChanges(), BytesIO(picture(64, 64)))
    image = await published(world, ann, style)
    await withdraw(world, style)
    assert await feed(world) == [image.id]
    assert len(originals(await world.blobs.keys("public/"))) == 2

    at = world.clock.advance()
    await withdraw(world, style, keep_images=False)

    assert await feed(world) == []
    assert await world.blobs.keys("public/") == []
    shown = await detail(world, style)
    assert shown.takedown == TakedownView(at, "Mine.", by_admin=False, keeps_images=False, pending=False)
    assert (shown.thumbnail_url, shown.sample_artworks) == (None, [])
    view = await world.read.generations.detail(image.id, viewer=ann.id)
    assert view.result_url is not None
    assert not view.is_public
    with pytest.raises(ImagesWithdrawn):
        await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=True))
    assert await world.blobs.keys("public/") == []
    await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(description="Still mine"))


async def test_images_of_a_withdrawn_style_can_be_published(world: World, ann: User, style: Style) -> None:
    image = await world.generation(ann, style)
    await complete(world, image.id)
    await withdraw(world, style)

    await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=True))

    assert await feed(world) == [image.id]


async def test_a_second_withdrawal_changes_only_the_images(world: World, style: Style) -> None:
    await withdraw(world, style, keep_images=False)
    before = await commit(world, lambda ports: ports.styles.of_id(style.id))
    world.clock.advance()

    await withdraw(world, style)
    await withdraw(world, style, keep_images=False)

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == before


async def test_a_style_can_be_withdrawn_while_it_is_trained(world: World, mia: User) -> None:
    style = await world.untrained_style(mia)
    failed = await world.untrained_style(mia, "Oil")
    await world.use_case(FailTraining)(failed.version_id, Failure("TRAINING_ERROR", "No."))
    for one in (style, failed):
        await withdraw(world, one)

    await world.use_case(CompleteTraining)(style.version_id, model_path="gs://models/1", metric=None)

    assert (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows == []
    with pytest.raises(StyleWithdrawn):
        await world.use_case(RetrainStyle)(mia.id, failed.id)


async def test_an_earlier_valid_to_is_kept(world: World, mia: User) -> None:
    end = world.clock.now()
    style = await world.style(mia, valid_to=end)
    world.clock.advance()

    await withdraw(world, style)

    assert (await detail(world, style)).valid_to == end


async def test_only_the_artist_and_admins_can_withdraw(world: World, ann: User, mia: User, style: Style) -> None:
    untrained = await world.untrained_style(mia, "Oil")
    stranger = Requester(ann.id, Role.USER, is_artist=False)

    for one, refusal in ((style.id, Forbidden), (untrained.id, StyleNotFound), (StyleId(4711), StyleNotFound)):
        with pytest.raises(refusal):
            await world.use_case(WithdrawStyle)(stranger, one, NewTakedown("No."))
    for reason in ("", " ", "x" * 501):
        with pytest.raises(ValidationError):
            await world.use_case(WithdrawStyle)(as_artist(mia), style.id, NewTakedown(reason))

    assert (await detail(world, style)).takedown is None


async def test_a_withdrawal_by_an_admin_is_audited_and_notified(world: World, mia: User, style: Style) -> None:
    eve = await world.admin("eve")
    admin = Requester(eve.id, Role.ADMIN, is_artist=False)

    await world.use_case(WithdrawStyle)(
        admin, style.id, NewTakedown("Copied.", keep_images=False), operator=Operator(eve.id, Source.CONSOLE)
    )

    takedown = (await detail(world, style)).takedown
    assert takedown is not None
    assert (takedown.by_admin, takedown.reason) == (True, "Copied.")
    line = (await world.read.audit.list(page=PageRequest())).rows[0]
    assert (line.admin_id, line.source, line.action, line.target_id) == (
        eve.id,
        "console",
        "style.withdrawn",
        str(style.id),
    )
    assert (line.after, line.reason) == ({"keeps_images": False}, "Copied.")
    [notice] = (await world.read.notifications.list(mia.id, unread_only=False, page=PageRequest()))[0].rows
    assert (notice.type, notice.target_id, notice.metadata["reason"]) == ("style_withdrawn", style.id, "Copied.")


async def test_a_withdrawal_by_the_artist_is_not_audited(world: World, mia: User, style: Style) -> None:
    await withdraw(world, style)

    lines = (await world.read.audit.list(page=PageRequest())).rows
    assert [line for line in lines if line.action == "style.withdrawn"] == []
    assert (await world.read.notifications.list(mia.id, unread_only=False, page=PageRequest()))[0].rows == []
