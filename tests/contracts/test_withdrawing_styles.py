"""A style is withdrawn while others ask for images of it, publish them, and AI servers make them."""

import asyncio
from collections import Counter
from contextlib import suppress
from io import BytesIO
from random import Random

import pytest

from core.accounts.model import User
from core.audit.model import Operator, Source
from core.errors import DomainError, Forbidden, ValidationError
from core.generations.cancel_generation import CancelGeneration
from core.generations.complete_generation import CompleteGeneration
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.errors import GenerationEnded
from core.generations.fail_generation import FailGeneration
from core.generations.model import Generation, Status
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import FeedQuery, StatusFilter
from core.identifiers import GenerationId, StyleId
from core.paging import PageRequest
from core.ports.blob_store import Blob, StoreUnavailable
from core.requester import Requester, Role
from core.styles.complete_training import CompleteTraining
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import ImagesWithdrawn, StyleNotFound, StyleNotReady, StyleWithdrawn
from core.styles.fail_training import FailTraining
from core.styles.model import Style, Takedown
from core.styles.retrain_style import RetrainStyle
from core.styles.views import OwnStyleDetail, StyleQuery, TakedownView
from core.takedowns import carry_out_takedown, withdraw_style
from core.takedowns.carry_out_takedown import CarryOutTakedown
from core.takedowns.carry_out_takedowns import CarryOutTakedowns
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.outcome import Failure, Outcome
from tests.contracts.overlap import Block, Work, commit, sending
from tests.core.failing import Broken, Interrupted, LosesConnection, failing
from tests.support.derivatives import originals
from tests.support.pictures import picture
from tests.support.world import TIME_LIMIT, Scope, World, hold_for

PRICE = 30
BUYERS = 32
EACH = 6
"""How many images a buyer has tokens for."""
NO = Failure("GENERATION_ERROR", "No.")


@pytest.fixture
async def mia(world: World) -> User:
    return await world.artist("mia")


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=1000)


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia, generation_cost_tokens=PRICE)


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


# --- what follows -----------------------------------------------------------------------------------------------------


async def test_a_withdrawn_style_is_closed_for_good(world: World, ann: User, mia: User, style: Style) -> None:
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


async def test_queued_generations_are_refunded_and_those_in_work_are_paid(
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


async def test_published_images_stay_or_go_as_the_artist_chooses(world: World, ann: User, style: Style) -> None:
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


async def test_an_image_can_be_published_while_only_the_style_is_withdrawn(
    world: World, ann: User, style: Style
) -> None:
    image = await world.generation(ann, style)
    await complete(world, image.id)
    await withdraw(world, style)

    await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=True))

    assert await feed(world) == [image.id]


async def test_a_second_withdrawal_changes_nothing_but_the_images(world: World, style: Style) -> None:
    await withdraw(world, style, keep_images=False)
    before = await commit(world, lambda ports: ports.styles.of_id(style.id))
    world.clock.advance()

    await withdraw(world, style)
    await withdraw(world, style, keep_images=False)

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == before


async def test_a_style_can_be_withdrawn_while_it_is_trained(world: World, mia: User) -> None:
    style = await world.untrained_style(mia)
    failed = await world.untrained_style(mia, "Oil")
    await world.use_case(FailTraining)(failed.id, Failure("TRAINING_ERROR", "No."))
    for one in (style, failed):
        await withdraw(world, one)

    await world.use_case(CompleteTraining)(style.id, model_path="gs://models/1", metric=None)

    assert (await world.read.styles.list(StyleQuery(), page=PageRequest())).rows == []
    with pytest.raises(StyleWithdrawn):
        await world.use_case(RetrainStyle)(mia.id, failed.id)


async def test_an_earlier_end_of_validity_stays(world: World, mia: User) -> None:
    end = world.clock.now()
    style = await world.style(mia, valid_to=end)
    world.clock.advance()

    await withdraw(world, style)

    assert (await detail(world, style)).valid_to == end


# --- who --------------------------------------------------------------------------------------------------------------


async def test_only_the_artist_and_admins_withdraw(world: World, ann: User, mia: User, style: Style) -> None:
    untrained = await world.untrained_style(mia, "Oil")
    stranger = Requester(ann.id, Role.USER, is_artist=False)

    for one, refusal in ((style.id, Forbidden), (untrained.id, StyleNotFound), (StyleId(4711), StyleNotFound)):
        with pytest.raises(refusal):
            await world.use_case(WithdrawStyle)(stranger, one, NewTakedown("No."))
    for reason in ("", " ", "x" * 501):
        with pytest.raises(ValidationError):
            await world.use_case(WithdrawStyle)(as_artist(mia), style.id, NewTakedown(reason))

    assert (await detail(world, style)).takedown is None


async def test_an_admin_withdraws_with_a_line_in_the_audit_log_and_the_artist_is_told(
    world: World, mia: User, style: Style
) -> None:
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


async def test_an_artist_is_neither_audited_nor_told(world: World, mia: User, style: Style) -> None:
    await withdraw(world, style)

    lines = (await world.read.audit.list(page=PageRequest())).rows
    assert [line for line in lines if line.action == "style.withdrawn"] == []
    assert (await world.read.notifications.list(mia.id, unread_only=False, page=PageRequest()))[0].rows == []


# --- races ------------------------------------------------------------------------------------------------------------


async def overlap(world: World, first: Work, second: Work, *, sent: bool) -> list[object]:
    """What the one that is first to write, and the other, answer. Writes that are held back may come second."""
    leader = await Block(world, sending(first) if sent else first).open()
    follower = Block(world, sending(second) if sent else second)
    await follower.worked_or_waits()
    return list(await asyncio.gather(leader.commit(), follower.commit()))


async def requesting(world: World, owner: User, style: Style) -> tuple[Generation, Work]:
    image = await world.unsaved_generation(owner, style)

    async def request(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(image))
        await ports.generations.add(image)

    return image, request


def withdrawing(world: World, style: Style, *, keeps_images: bool = True) -> Work:
    takedown = Takedown(world.clock.now(), "Mine.", by_admin=False, keeps_images=keeps_images)

    async def withdraw_it(ports: Scope) -> None:
        locked = await ports.styles.lock_to_withdraw(style.id)
        await ports.styles.save(locked.withdraw(takedown))

    return withdraw_it


@pytest.mark.parametrize("request_first", [True, False])
async def test_a_request_is_refused_or_seen_by_the_withdrawal(
    world: World, ann: User, mia: User, style: Style, request_first: bool, sent: bool
) -> None:
    image, request = await requesting(world, ann, style)
    works = [request, withdrawing(world, style)]

    answers = await overlap(world, *(works if request_first else works[::-1]), sent=sent)

    requested = answers[0 if request_first else 1]
    if not isinstance(requested, BaseException):
        await world.use_case(CarryOutTakedown)(style.id)
        assert (await stored(world, image.id)).status is Status.CANCELLED
    else:
        assert isinstance(requested, StyleNotReady)
    assert await sold(world, ann, mia) == (1000, 0, 0)
    await check_books(world)


async def test_a_request_after_the_withdrawal_is_refused_by_the_store_itself(
    world: World, ann: User, mia: User, style: Style
) -> None:
    """Its offer may have been read before."""
    _, request = await requesting(world, ann, style)
    await commit(world, withdrawing(world, style))

    with pytest.raises(StyleNotReady):
        await commit(world, request)

    assert await sold(world, ann, mia) == (1000, 0, 0)


async def test_an_image_is_published_before_the_withdrawal_or_not_at_all(world: World, ann: User, style: Style) -> None:
    image = await world.image(ann, style)

    async def publish(ports: Scope) -> None:
        locked = await ports.generations.of_owner(ann.id, image.id, lock=True)
        await ports.styles.check_publishable(style.id)
        await ports.generations.save(locked.edit(at=image.updated_at, description=None, public_key="public/a.png"))

    publishing = await Block(world, publish).open()
    leaving = await Block(world, withdrawing(world, style, keeps_images=False)).waits()
    assert await publishing.commit() is None
    assert await leaving.commit() is None
    await world.use_case(CarryOutTakedown)(style.id)
    assert not (await stored(world, image.id)).is_public

    other = await world.style(await world.artist("max"))
    leaving = await Block(world, withdrawing(world, other, keeps_images=False)).open()
    checking = await Block(world, lambda ports: ports.styles.check_publishable(other.id)).waits()
    assert await leaving.commit() is None
    assert isinstance(await checking.outcome(), ImagesWithdrawn)


async def test_publishing_needs_the_style(world: World) -> None:
    for call in ("check_publishable", "lock_to_withdraw"):
        with pytest.raises(StyleNotFound):
            await commit(world, lambda ports, call=call: getattr(ports.styles, call)(StyleId(4711)))  # type: ignore[misc]


async def test_a_withdrawal_waits_for_a_request_in_progress_or_the_request_is_refused(
    world: World, ann: User, mia: User, style: Style
) -> None:
    image, request = await requesting(world, ann, style)
    asking = await Block(world, sending(request)).open()
    withdrawal = asyncio.create_task(withdraw(world, style))
    async with asyncio.timeout(TIME_LIMIT):
        while not (withdrawal.done() or await world.lock_is_awaited()):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)

    requested = await asking.commit()
    await withdrawal

    if not isinstance(requested, StyleNotReady):
        assert (await stored(world, image.id)).status is Status.CANCELLED
    assert await sold(world, ann, mia) == (1000, 0, 0)


@pytest.mark.parametrize("seed", range(3))
async def test_a_withdrawal_among_buyers_leaves_none_unpaid_and_none_paid_and_not_made(
    world: World, mia: User, style: Style, seed: int
) -> None:
    random = Random(seed)
    buyers = [await world.user(f"buyer-{number}", tokens=EACH * PRICE) for number in range(BUYERS)]
    requested: list[GenerationId] = []
    busy = asyncio.Event()
    enough = random.randrange(BUYERS, 3 * BUYERS)

    async def buy(buyer: User) -> bool:
        """Until the tokens are spent, or the style is withdrawn; return whether it was."""
        request = world.use_case(RequestGeneration)
        for _ in range(EACH):
            try:
                image_id = (await request(buyer.id, NewGeneration(style.id, ["cat"]))).id
            except StyleNotReady:
                return True
            requested.append(image_id)
            if len(requested) == enough:
                busy.set()
            await serve(buyer, image_id)
            await asyncio.sleep(0)  # lets others in, where nothing else does
        return False

    async def serve(buyer: User, image_id: GenerationId) -> None:
        """The AI server makes some at once, fails with some, and only begins with others; some are cancelled."""
        fate = random.randrange(6)
        if fate in (1, 2, 3):
            await advance(world, image_id)
        if fate == 2:
            await complete(world, image_id)
        if fate == 3:
            await world.use_case(FailGeneration)(image_id, NO)
        if fate == 4:
            with suppress(GenerationEnded):  # the withdrawal was first
                await world.use_case(CancelGeneration)(buyer.id, image_id)

    async def leave() -> None:
        await busy.wait()
        await withdraw(world, style)

    refused, _ = await asyncio.gather(asyncio.gather(*map(buy, buyers)), leave())

    assert any(refused)
    images = [await stored(world, image_id) for image_id in requested]
    assert Status.QUEUED not in {image.status for image in images}
    assert await complete_list(world, buyers) == sorted(requested)
    for image_id in requested:
        await complete(world, image_id)
    await check_books(world)
    made = Counter(image.owner_id for image in images if image.status in (Status.PROCESSING, Status.COMPLETED))
    for buyer in buyers:
        assert (await sold(world, buyer, mia))[:2] == ((EACH - made[buyer.id]) * PRICE, 0)
    assert (await world.funds(mia.id)).earned_token_balance == made.total() * PRICE


async def complete_list(world: World, owners: list[User]) -> list[GenerationId]:
    """All generations of these people: none was made that they were not told of."""
    found = []
    for owner in owners:
        page = await world.read.generations.list_own(
            owner.id, status=StatusFilter.ALL, is_public=None, page=PageRequest(limit=100)
        )
        found += [view.id for view in page.rows]
    return sorted(found)


# --- carrying out -----------------------------------------------------------------------------------------------------


async def test_what_is_queued_or_published_is_found_oldest_first(world: World, ann: User, style: Style) -> None:
    images = []
    for _ in range(3):
        world.clock.advance()
        images.append(await world.generation(ann, style))
    for _ in range(3):
        world.clock.advance()
        images.append(await world.image(ann, style, public=True))
    await world.image(ann, style)
    ids = [image.id for image in images]

    assert await commit(world, lambda ports: ports.generations.queued_with(style.id, limit=9)) == ids[:3]
    assert await commit(world, lambda ports: ports.generations.queued_with(style.id, limit=2)) == ids[:2]
    assert await commit(world, lambda ports: ports.generations.published_with(style.id, limit=9)) == ids[3:]
    assert await commit(world, lambda ports: ports.generations.published_with(style.id, limit=2)) == ids[3:5]


async def test_a_maintenance_pass_does_what_the_call_did_not(
    world: World, ann: User, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry_out_takedown, "BATCH", 2)
    monkeypatch.setattr(withdraw_style, "INLINE_TIME", withdraw_style.INLINE_TIME * 0)
    images = [await world.generation(ann, style) for _ in range(5)]
    untouched = await world.style(await world.artist("max"))
    carry_out = world.use_case(CarryOutTakedowns)

    await withdraw(world, style)

    takedown = (await detail(world, style)).takedown
    assert takedown is not None
    assert takedown.pending
    assert (
        sorted([(await stored(world, image.id)).status.value for image in images]) == ["cancelled"] * 2 + ["queued"] * 3
    )
    assert await commit(world, lambda ports: ports.styles.pending_takedowns(limit=9)) == [style.id]
    assert [await carry_out(), await carry_out()] == [1, 0]
    assert {(await stored(world, image.id)).status for image in images} == {Status.CANCELLED}
    assert (await detail(world, untouched)).takedown is None


async def test_a_withdrawal_whose_commit_is_deferred_leaves_the_rest_to_maintenance(
    world: World, ann: User, style: Style
) -> None:
    image = await world.generation(ann, style)

    await withdraw(world, style, at_once=False)

    assert (await stored(world, image.id)).status is Status.QUEUED
    assert await world.use_case(CarryOutTakedowns)() == 1
    assert (await stored(world, image.id)).status is Status.CANCELLED


async def test_pending_takedowns_are_in_order(world: World, mia: User) -> None:
    styles = [await world.style(mia, name) for name in ("Ink", "Oil", "Wax")]
    for style in styles[::-1]:
        await commit(world, withdrawing(world, style))

    pending = await commit(world, lambda ports: ports.styles.pending_takedowns(limit=2))

    assert pending == [style.id for style in styles[:2]]


async def test_a_store_that_is_away_postpones_the_hiding(world: World, ann: User, style: Style) -> None:
    image = await published(world, ann, style)
    takedown = world.use_case(CarryOutTakedown, blobs=failing(world.blobs, "delete", StoreUnavailable()))
    artist = Requester(style.artist_id, Role.ARTIST, is_artist=True)

    await world.use_case(WithdrawStyle, carry_out=takedown)(artist, style.id, NewTakedown("Mine.", keep_images=False))

    assert await feed(world) == [image.id]
    away = world.use_case(CarryOutTakedown, blobs=failing(world.blobs, "delete", StoreUnavailable()))
    with pytest.raises(StoreUnavailable):
        await world.use_case(CarryOutTakedowns, carry_out=away)()
    assert await world.use_case(CarryOutTakedowns)() == 1
    assert await feed(world) == []


async def test_one_takedown_that_cannot_be_carried_out_does_not_stop_the_others(world: World, mia: User) -> None:
    for name in ("Ink", "Oil"):
        await commit(world, withdrawing(world, await world.style(mia, name)))
    scope = world.scope()
    carry_out = world.use_case(CarryOutTakedown, scope, styles=failing(scope.styles, "save", StyleNotReady()))

    assert await world.use_case(CarryOutTakedowns, carry_out=carry_out)() == 1


async def test_a_crash_in_between_leaves_nothing_half_done(world: World, ann: User, mia: User, style: Style) -> None:
    image = await world.generation(ann, style)
    await withdraw(world, style, at_once=False)
    scope = world.scope()
    crashing = world.use_case(CarryOutTakedown, scope, notifier=failing(scope.notifier, "notify"))
    with pytest.raises(Broken):
        await crashing(style.id)
    assert await sold(world, ann, mia) == (1000 - PRICE, PRICE, 0)

    scope = world.scope()
    unheard = LosesConnection(scope.transaction, at=3)
    with pytest.raises(DomainError):
        await world.use_case(CarryOutTakedown, scope, transaction=unheard)(style.id)
    assert await world.use_case(CarryOutTakedown)(style.id)

    assert (await stored(world, image.id)).status is Status.CANCELLED
    assert await sold(world, ann, mia) == (1000, 0, 0)
    await check_books(world)


async def test_what_changes_meanwhile_is_left_alone(world: World, ann: User, style: Style) -> None:
    """Found and then begun, hidden by its owner, or hidden while its copy is deleted."""
    begun, hidden, hiding = (
        await world.generation(ann, style),
        await published(world, ann, style),
        await published(world, ann, style),
    )
    await withdraw(world, style, keep_images=False, at_once=False)
    scope = world.scope()

    async def change() -> None:
        await advance(world, begun.id)
        await world.use_case(EditGeneration)(ann.id, hidden.id, GenerationChanges(is_public=False))

    async def hide() -> None:
        await world.use_case(EditGeneration)(ann.id, hiding.id, GenerationChanges(is_public=False))

    generations = Interrupted(scope.generations, "of_id", change)
    blobs = Interrupted(world.blobs, "delete", hide)
    assert await world.use_case(CarryOutTakedown, scope, generations=generations, blobs=blobs)(style.id)

    assert (await stored(world, begun.id)).status is Status.PROCESSING
    assert not (await stored(world, hidden.id)).is_public
    assert not (await stored(world, hiding.id)).is_public


async def test_images_that_are_withdrawn_meanwhile_are_hidden_as_well(world: World, ann: User, style: Style) -> None:
    image = await published(world, ann, style)
    await withdraw(world, style, at_once=False)
    scope = world.scope()

    async def withdraw_images() -> None:
        await withdraw(world, style, keep_images=False, at_once=False)

    generations = Interrupted(scope.generations, "queued_with", withdraw_images)
    await world.use_case(CarryOutTakedown, scope, generations=generations)(style.id)

    assert not (await stored(world, image.id)).is_public


async def test_a_style_that_is_gone_has_nothing_to_carry_out(world: World, mia: User, style: Style) -> None:
    await withdraw(world, style, at_once=False)
    await world.use_case(DeleteStyle)(mia.id, style.id)

    assert await world.use_case(CarryOutTakedown)(style.id)
    assert await world.use_case(CarryOutTakedowns)() == 0
