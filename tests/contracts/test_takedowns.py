"""Carrying out the takedown of a withdrawn style, in the call and in maintenance passes."""

import pytest

from core.accounts.model import User
from core.errors import DomainError
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.model import Status
from core.ports.blob_store import StoreUnavailable
from core.requester import Requester, Role
from core.styles.delete_style import DeleteStyle
from core.styles.errors import StyleNotReady
from core.styles.model import Style
from core.takedowns import carry_out_takedown, withdraw_style
from core.takedowns.carry_out_takedown import CarryOutTakedown
from core.takedowns.carry_out_takedowns import CarryOutTakedowns
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from tests.contracts.overlap import commit
from tests.contracts.takedowns import (
    PRICE,
    advance,
    check_books,
    detail,
    feed,
    published,
    sold,
    stored,
    withdraw,
    withdrawing,
)
from tests.core.failing import Interrupted, LosesConnection, UnexpectedError, failing
from tests.support.world import World


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia, generation_cost_tokens=PRICE)


async def test_the_maintenance_pass_finishes_a_takedown(
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


async def test_a_takedown_with_a_deferred_commit_is_left_to_maintenance(world: World, ann: User, style: Style) -> None:
    image = await world.generation(ann, style)

    await withdraw(world, style, at_once=False)

    assert (await stored(world, image.id)).status is Status.QUEUED
    assert await world.use_case(CarryOutTakedowns)() == 1
    assert (await stored(world, image.id)).status is Status.CANCELLED


async def test_pending_takedowns_are_listed_in_order(world: World, mia: User) -> None:
    styles = [await world.style(mia, name) for name in ("Ink", "Oil", "Wax")]
    for style in styles[::-1]:
        await commit(world, withdrawing(world, style))

    pending = await commit(world, lambda ports: ports.styles.pending_takedowns(limit=2))

    assert pending == [style.id for style in styles[:2]]


async def test_hiding_is_retried_after_a_store_outage(world: World, ann: User, style: Style) -> None:
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


async def test_a_failed_takedown_does_not_stop_the_others(world: World, mia: User) -> None:
    for name in ("Ink", "Oil"):
        await commit(world, withdrawing(world, await world.style(mia, name)))
    scope = world.scope()
    carry_out = world.use_case(CarryOutTakedown, scope, styles=failing(scope.styles, "save", StyleNotReady()))

    assert await world.use_case(CarryOutTakedowns, carry_out=carry_out)() == 1


async def test_a_crashed_takedown_is_resumed(world: World, ann: User, mia: User, style: Style) -> None:
    image = await world.generation(ann, style)
    await withdraw(world, style, at_once=False)
    scope = world.scope()
    crashing = world.use_case(CarryOutTakedown, scope, notifier=failing(scope.notifier, "notify"))
    with pytest.raises(UnexpectedError):
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


async def test_concurrently_changed_generations_are_skipped(world: World, ann: User, style: Style) -> None:
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


async def test_images_withdrawn_meanwhile_are_hidden(world: World, ann: User, style: Style) -> None:
    image = await published(world, ann, style)
    await withdraw(world, style, at_once=False)
    scope = world.scope()

    async def withdraw_images() -> None:
        await withdraw(world, style, keep_images=False, at_once=False)

    generations = Interrupted(scope.generations, "queued_with", withdraw_images)
    await world.use_case(CarryOutTakedown, scope, generations=generations)(style.id)

    assert not (await stored(world, image.id)).is_public


async def test_a_deleted_style_has_no_pending_takedown(world: World, mia: User, style: Style) -> None:
    await withdraw(world, style, at_once=False)
    await world.use_case(DeleteStyle)(mia.id, style.id)

    assert await world.use_case(CarryOutTakedown)(style.id)
    assert await world.use_case(CarryOutTakedowns)() == 0
