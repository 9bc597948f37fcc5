"""Stalled attempts time out by the rules of failed ones, once, however many passes run concurrently."""

import asyncio

import msgspec
import pytest

from core.accounts.model import User
from core.generations.complete_generation import CompleteGeneration
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.fail_generation import FailGeneration
from core.generations.model import MAX_ATTEMPTS, RETRY_DELAYS, Generation, Status
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.time_out_generations import GenerationTimeout, TimeOutGenerations
from core.identifiers import GenerationId
from core.ports.database import DatabaseUnavailable
from core.styles.model import Style
from core.tasks.outcome import Failure, Outcome
from core.tokens.errors import HoldAlreadyResolved
from tests.contracts.overlap import Block, commit
from tests.contracts.time_outs import MOMENT, PRICE, TIMEOUT, inactive, notified, refuse_once
from tests.support.scope import Scope
from tests.support.world import Funds, World


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=100)


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia, generation_cost_tokens=PRICE)


@pytest.fixture
async def image(world: World, ann: User, style: Style) -> Generation:
    return await world.generation(ann, style)


async def time_out(world: World, **options: int) -> int:
    return await world.use_case(TimeOutGenerations, timeout=GenerationTimeout(TIMEOUT))(**options)


async def advance(world: World, image: Generation, step: int = 1) -> Outcome:
    return await world.use_case(RecordProgress)(
        image.id, current_step=step, total_steps=30, progress_percent=3.3, estimated_seconds=9
    )


async def stored(world: World, image: Generation) -> Generation:
    return await commit(world, lambda ports: ports.generations.of_id(image.id))


async def test_an_attempt_times_out_exactly_at_the_time_out(world: World, image: Generation) -> None:
    world.clock.advance(TIMEOUT - MOMENT)
    assert await time_out(world) == 0
    assert await stored(world, image) == image

    world.clock.advance(MOMENT)
    assert await time_out(world) == 1

    now = await stored(world, image)
    assert (now.status, now.attempt, now.due_at) == (Status.RETRYING, 2, world.clock.now())
    assert now.failure is not None
    assert now.failure.code == "TIMEOUT"
    assert now.task_id in [task.task_id for task in await world.tasks()]


async def test_every_webhook_restarts_the_time_out(world: World, image: Generation) -> None:
    for step in (1, 2):
        world.clock.advance(TIMEOUT - MOMENT)
        await advance(world, image, step)
    world.clock.advance(TIMEOUT - MOMENT)
    assert await time_out(world) == 0

    world.clock.advance(MOMENT)
    assert await time_out(world) == 1


async def test_edits_by_the_owner_do_not_restart_the_time_out(world: World, ann: User, image: Generation) -> None:
    world.clock.advance(TIMEOUT)
    await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(description="Still waiting"))

    assert await time_out(world) == 1


async def test_an_attempt_that_is_not_due_does_not_time_out(world: World, image: Generation) -> None:
    for delay in RETRY_DELAYS:
        await advance(world, image)
        await world.use_case(FailGeneration)(image.id, Failure("GPU_OOM", "Out of memory."))
        world.clock.advance(delay)
        await world.publish()
        world.clock.advance(TIMEOUT - MOMENT)
        assert await time_out(world) == 0
    world.clock.advance(MOMENT)

    assert await time_out(world) == 1


async def test_after_the_last_attempt_the_owner_is_refunded_and_notified(
    world: World, ann: User, mia: User, image: Generation
) -> None:
    for attempt in range(2, MAX_ATTEMPTS + 1):
        await begin_without_further_progress(world)
        assert await time_out(world) == 1
        assert (await stored(world, image)).attempt == attempt
    assert await notified(world, ann) == []
    await begin_without_further_progress(world)

    assert await time_out(world) == 1
    assert await time_out(world) == 0

    assert (await stored(world, image)).status is Status.FAILED
    assert await world.funds(ann.id) == Funds(ann.id, 100, 0, None)
    assert await world.funds(mia.id) == Funds(mia.id, 0, 0, 0)
    [notification] = await notified(world, ann)
    assert notification.type == "generation_failed"
    assert notification.metadata["error_code"] == "TIMEOUT"


async def test_a_generation_that_has_ended_does_not_time_out(world: World, ann: User, style: Style) -> None:
    await world.image(ann, style)
    await world.failed_generation(ann, style)
    world.clock.advance(10 * TIMEOUT)

    assert await time_out(world) == 0


async def test_the_oldest_time_out_first_up_to_the_limit(world: World, mia: User) -> None:
    ann = await world.user("ann", tokens=1000)
    style = await world.style(mia)
    images = [await world.generation(ann, style)]
    for _ in range(3):
        world.clock.advance()
        images.append(await world.generation(ann, style))
    world.clock.advance(TIMEOUT)

    assert await inactive(world, limit=3) == [image.id for image in images[:3]]
    assert [await time_out(world, limit=3), await time_out(world, limit=3)] == [3, 1]


async def test_one_of_concurrent_passes_times_the_generation_out(world: World, ann: User, style: Style) -> None:
    images = [await world.generation(ann, style) for _ in range(3)]
    world.clock.advance(TIMEOUT)

    counted = await asyncio.gather(*(time_out(world) for _ in range(6)))

    assert sum(counted) == 3
    assert {(await stored(world, image)).attempt for image in images} == {2}
    assert await world.funds(ann.id) == Funds(ann.id, 10, 90, None)


@pytest.mark.parametrize("sign", ["progress", "completion"])
async def test_activity_just_before_the_search_counts(world: World, image: Generation, sign: str) -> None:
    world.clock.advance(TIMEOUT)

    async def lock(ports: Scope) -> None:
        await ports.generations.of_id(image.id, lock=True)

    blocker = await Block(world, lock).open()
    passing = asyncio.create_task(time_out(world))
    signal = asyncio.create_task(advance(world, image) if sign == "progress" else complete(world, image))
    await blocker.commit()
    timed_out, outcome = await asyncio.gather(passing, signal)

    now = await stored(world, image)
    assert outcome.applied
    assert (now.attempt, now.status) in (
        [(1, Status.PROCESSING), (2, Status.PROCESSING)]
        if sign == "progress"
        else [(1, Status.COMPLETED), (2, Status.COMPLETED)]
    )
    assert now.attempt == 1 + timed_out


async def test_activity_after_the_search_prevents_the_time_out(world: World, image: Generation) -> None:
    since = world.clock.now()
    world.clock.advance(TIMEOUT)
    await advance(world, image)

    outcome = await world.use_case(FailGeneration)(image.id, Failure("TIMEOUT", "Silence."), inactive_since=since)

    assert outcome == Outcome(applied=False, status="processing")


async def test_a_late_image_is_recorded_and_not_paid(world: World, ann: User, mia: User, image: Generation) -> None:
    for _ in range(MAX_ATTEMPTS):
        await begin_without_further_progress(world)
        await time_out(world)
    given_up, came_at = await stored(world, image), world.clock.advance()

    assert await complete(world, image) == Outcome(applied=False, status="failed")
    world.clock.advance()
    assert await complete(world, image) == Outcome(applied=False, status="failed")

    late = {"result_key": f"generations/gen-{image.id}.png", "at": came_at.isoformat(), "metadata": {}}
    assert await stored(world, image) == msgspec.structs.replace(given_up, metadata={"late_result": late})
    assert await world.funds(ann.id) == Funds(ann.id, 100, 0, None)
    assert await world.funds(mia.id) == Funds(mia.id, 0, 0, 0)
    assert [notification.type for notification in await notified(world, ann)] == ["generation_failed"]


async def test_an_outage_longer_than_the_time_out_costs_no_attempt(world: World, ann: User) -> None:
    style = await world.style(await world.artist("leo"))
    image = await ask(world, ann, style)
    [task] = await world.tasks()

    for _ in range(MAX_ATTEMPTS + 1):
        world.clock.advance(TIMEOUT)
        assert await time_out(world) == 0

    assert await world.tasks() == [task]
    stored = await stored_by_id(world, image)
    assert (stored.status, stored.attempt, str(stored.task_id)) == (Status.QUEUED, 1, task.task_id)


async def test_an_attempt_gets_its_full_time_after_an_outage(world: World, ann: User, style: Style) -> None:
    image = await ask(world, ann, style)
    world.clock.advance(TIMEOUT)
    await time_out(world)
    await world.publish()

    world.clock.advance(TIMEOUT - MOMENT)
    assert await time_out(world) == 0
    world.clock.advance(MOMENT)
    assert await time_out(world) == 1
    assert (await stored_by_id(world, image)).attempt == 2


async def test_a_locked_generation_is_skipped(world: World, ann: User, style: Style) -> None:
    image = await ask(world, ann, style)
    world.clock.advance(TIMEOUT)
    other = await Block(world, lambda ports: ports.generations.of_id(image, lock=True)).open()

    now = world.clock.now()
    await commit(world, lambda ports: ports.generations.restart_time_outs(inactive_since=now - TIMEOUT, at=now))
    await other.commit()


async def test_a_published_attempt_times_out_beside_an_unpublished_one(world: World, ann: User, style: Style) -> None:
    published = await ask(world, ann, style)
    await world.publish()
    waiting = await ask(world, ann, style)
    world.clock.advance(TIMEOUT)

    assert await time_out(world) == 1

    assert (await stored_by_id(world, published)).attempt == 2
    assert (await stored_by_id(world, waiting)).attempt == 1


async def test_a_failed_time_out_does_not_stop_the_others(
    world: World, ann: User, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [await world.generation(ann, style) for _ in range(3)]
    world.clock.advance(TIMEOUT)
    refuse_once(monkeypatch, FailGeneration, HoldAlreadyResolved())

    assert await time_out(world) == 2
    assert sorted([(await stored(world, image)).attempt for image in images]) == [1, 2, 2]


async def test_time_outs_stop_when_the_database_is_unavailable(
    world: World, ann: User, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await world.generation(ann, style)
    world.clock.advance(TIMEOUT)
    refuse_once(monkeypatch, FailGeneration, DatabaseUnavailable())

    with pytest.raises(DatabaseUnavailable):
        await time_out(world)
    assert await time_out(world) == 3


async def ask(world: World, user: User, style: Style) -> GenerationId:
    return (await world.use_case(RequestGeneration)(user.id, NewGeneration(style.id, ["cat"]))).id


async def begin_without_further_progress(world: World) -> None:
    world.clock.advance(max(RETRY_DELAYS))
    await world.publish()
    world.clock.advance(TIMEOUT)


async def stored_by_id(world: World, generation_id: GenerationId) -> Generation:
    return await commit(world, lambda ports: ports.generations.of_id(generation_id))


async def complete(world: World, image: Generation) -> Outcome:
    done = world.use_case(CompleteGeneration)
    return await done(image.id, result_url=world.blobs.uri(f"generations/gen-{image.id}.png"), metadata={})
