"""Cancelling a generation races with its webhooks: one of them wins, and the ledger agrees."""

import asyncio

import pytest

from core.accounts.model import User
from core.generations.cancel_generation import CancelGeneration
from core.generations.complete_generation import CompleteGeneration
from core.generations.errors import GenerationEnded, GenerationNotFound, GenerationStillProcessing
from core.generations.model import Generation, Status
from core.generations.record_progress import RecordProgress
from core.tasks.outcome import Outcome
from tests.support.world import World

PRICE = 10


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=PRICE)


@pytest.fixture
async def image(world: World, mia: User, ann: User) -> Generation:
    return await world.generation(ann, await world.style(mia, generation_cost_tokens=PRICE))


async def spendable_held_and_earned(world: World, payer: User, artist: User) -> tuple[int, int, int | None]:
    balance, earned = await world.funds(payer.id), await world.funds(artist.id)
    return balance.token_balance, balance.held_tokens, earned.earned_token_balance


async def complete(world: World, image: Generation) -> Outcome:
    done = world.use_case(CompleteGeneration)
    return await done(image.id, result_url=world.blobs.uri(f"generations/gen-{image.id}.png"), metadata={})


async def advance(world: World, image: Generation) -> Outcome:
    begun = world.use_case(RecordProgress)
    return await begun(image.id, current_step=1, total_steps=30, progress_percent=3.3, estimated_seconds=9)


async def status(world: World, image: Generation, owner: User) -> Status:
    return Status((await world.read.generations.detail(image.id, viewer=owner.id)).status)


async def test_a_queued_generation_is_cancelled_and_refunded(
    world: World, ann: User, mia: User, image: Generation
) -> None:
    await world.use_case(CancelGeneration)(ann.id, image.id)

    assert await status(world, image, ann) is Status.CANCELLED
    assert await spendable_held_and_earned(world, ann, mia) == (PRICE, 0, 0)
    assert (await world.read.generations.detail(image.id, viewer=ann.id)).refunded


async def test_a_generation_in_progress_cannot_be_cancelled(
    world: World, ann: User, mia: User, image: Generation
) -> None:
    await advance(world, image)

    with pytest.raises(GenerationStillProcessing):
        await world.use_case(CancelGeneration)(ann.id, image.id)
    assert await spendable_held_and_earned(world, ann, mia) == (0, PRICE, 0)


async def test_a_generation_that_has_ended_cannot_be_cancelled(world: World, ann: User, image: Generation) -> None:
    await world.use_case(CancelGeneration)(ann.id, image.id)

    with pytest.raises(GenerationEnded):
        await world.use_case(CancelGeneration)(ann.id, image.id)


async def test_another_users_generation_cannot_be_cancelled(world: World, mia: User, image: Generation) -> None:
    with pytest.raises(GenerationNotFound):
        await world.use_case(CancelGeneration)(mia.id, image.id)


async def test_webhooks_of_a_cancelled_generation_change_nothing(
    world: World, ann: User, mia: User, image: Generation
) -> None:
    await world.use_case(CancelGeneration)(ann.id, image.id)

    assert not (await complete(world, image)).applied
    assert not (await advance(world, image)).applied
    assert await spendable_held_and_earned(world, ann, mia) == (PRICE, 0, 0)


async def test_cancelling_races_with_completing(world: World, ann: User, mia: User, image: Generation) -> None:
    async def cancel() -> bool:
        try:
            await world.use_case(CancelGeneration)(ann.id, image.id)
        except GenerationEnded:
            return False
        return True

    async def finish() -> bool:
        return (await complete(world, image)).applied

    cancelled, completed = await asyncio.gather(cancel(), finish())

    assert cancelled != completed
    expected = (PRICE, 0, 0) if cancelled else (0, 0, PRICE)
    assert await spendable_held_and_earned(world, ann, mia) == expected
    assert await status(world, image, ann) is (Status.CANCELLED if cancelled else Status.COMPLETED)


async def test_cancelling_races_with_the_first_progress(world: World, ann: User, mia: User, image: Generation) -> None:
    async def cancel() -> bool:
        try:
            await world.use_case(CancelGeneration)(ann.id, image.id)
        except GenerationStillProcessing:
            return False
        return True

    async def begin() -> bool:
        return (await advance(world, image)).applied

    cancelled, begun = await asyncio.gather(cancel(), begin())

    assert cancelled != begun
    assert await status(world, image, ann) is (Status.CANCELLED if cancelled else Status.PROCESSING)
    assert await spendable_held_and_earned(world, ann, mia) == ((PRICE, 0, 0) if cancelled else (0, PRICE, 0))
