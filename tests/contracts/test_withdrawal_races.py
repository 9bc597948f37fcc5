"""Withdrawing a style while others request, publish and complete generations of it."""

import asyncio
from collections import Counter
from contextlib import suppress
from random import Random

import pytest

from core.accounts.model import User
from core.generations.cancel_generation import CancelGeneration
from core.generations.errors import GenerationEnded
from core.generations.fail_generation import FailGeneration
from core.generations.model import Generation, Status
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import StatusFilter
from core.identifiers import GenerationId, StyleId
from core.paging import PageRequest
from core.styles.errors import ImagesWithdrawn, StyleNotFound, StyleNotReady
from core.styles.model import Style
from core.takedowns.carry_out_takedown import CarryOutTakedown
from tests.contracts.overlap import Block, Work, commit, sending
from tests.contracts.takedowns import NO, PRICE, advance, check_books, complete, sold, stored, withdraw, withdrawing
from tests.support.scope import Scope
from tests.support.world import TIME_LIMIT, World, hold_for

BUYERS = 32
EACH = 6
"""How many images a buyer has tokens for."""


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia, generation_cost_tokens=PRICE)


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


@pytest.mark.parametrize("request_first", [True, False])
async def test_a_concurrent_request_is_refused_or_cancelled(
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


async def test_the_store_refuses_requests_for_a_withdrawn_style(
    world: World, ann: User, mia: User, style: Style
) -> None:
    """Its offer may have been read before."""
    _, request = await requesting(world, ann, style)
    await commit(world, withdrawing(world, style))

    with pytest.raises(StyleNotReady):
        await commit(world, request)

    assert await sold(world, ann, mia) == (1000, 0, 0)


async def test_publishing_races_with_the_withdrawal(world: World, ann: User, style: Style) -> None:
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


async def test_publishing_for_an_unknown_style_is_refused(world: World) -> None:
    for call in ("check_publishable", "lock_to_withdraw"):
        with pytest.raises(StyleNotFound):
            await commit(world, lambda ports, call=call: getattr(ports.styles, call)(StyleId(4711)))  # type: ignore[misc]


async def test_a_withdrawal_waits_for_a_request_in_progress(world: World, ann: User, mia: User, style: Style) -> None:
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
async def test_a_withdrawal_among_buyers_settles_every_generation(
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


async def test_affected_generations_are_listed_oldest_first(world: World, ann: User, style: Style) -> None:
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
