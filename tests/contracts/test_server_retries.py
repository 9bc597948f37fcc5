"""Attempts that the inference server retries by itself fail after a grace period, once, also with concurrent passes."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from core.accounts.model import User
from core.generations.complete_generation import CompleteGeneration
from core.generations.errors import ResultTaken
from core.generations.fail_generation import FailGeneration
from core.generations.fail_unresumed_generations import FailUnresumedGenerations, RetryGrace
from core.generations.model import Generation, Status
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.time_out_generations import GenerationTimeout, TimeOutGenerations
from core.identifiers import GenerationId
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.ports.database import DatabaseUnavailable
from core.styles.fail_training import FailTraining
from core.styles.model import Style
from core.styles.retrain_style import RetrainStyle
from core.tasks.outcome import Failure, Outcome
from core.tokens.errors import HoldAlreadyResolved
from tests.contracts.overlap import Block, commit
from tests.support.world import Funds, World

GRACE = timedelta(minutes=2)
TIMEOUT = timedelta(minutes=30)
MOMENT = timedelta.resolution
ATTEMPT_FAILED = Failure("INFERENCE_ERROR", "CUDA error")


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=100)


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia, generation_cost_tokens=30)


@pytest.fixture
async def image(world: World, ann: User, style: Style) -> Generation:
    return await world.generation(ann, style)


async def fail_attempt(world: World, image: Generation) -> Outcome:
    return await world.use_case(FailGeneration)(image.id, ATTEMPT_FAILED)


async def advance(world: World, image: Generation, step: int = 1) -> Outcome:
    return await world.use_case(RecordProgress)(
        image.id, current_step=step, total_steps=30, progress_percent=3.3, estimated_seconds=9
    )


async def complete(world: World, image: Generation) -> Outcome:
    url = world.blobs.uri(f"generations/gen-{image.id}.png")
    return await world.use_case(CompleteGeneration)(image.id, result_url=url, metadata={})


async def fail_unresumed(world: World, *, limit: int = 100) -> int:
    return await world.use_case(FailUnresumedGenerations, grace=RetryGrace(GRACE))(limit=limit)


async def time_out(world: World, *, after: timedelta) -> int:
    return await world.use_case(TimeOutGenerations, timeout=GenerationTimeout(after))()


async def stored(world: World, image: Generation) -> Generation:
    return await commit(world, lambda ports: ports.generations.of_id(image.id))


async def notified(world: World, user: User) -> list[NotificationItem]:
    page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest())
    return page.rows


async def unresumed(world: World, *, limit: int = 100) -> list[GenerationId]:
    since = world.clock.now() - GRACE
    return await commit(world, lambda ports: ports.generations.unresumed(since=since, limit=limit))


async def test_a_failed_attempt_is_stored(world: World, image: Generation) -> None:
    await advance(world, image, 20)
    at = world.clock.advance()

    assert await fail_attempt(world, image) == Outcome(applied=True, status="retrying")

    assert await stored(world, image) == image.retry_by_server(at=at, failure=ATTEMPT_FAILED)


async def test_silence_during_the_grace_period_fails_and_refunds(
    world: World, ann: User, mia: User, image: Generation
) -> None:
    await fail_attempt(world, image)
    world.clock.advance(GRACE - MOMENT)
    assert await fail_unresumed(world) == 0

    world.clock.advance(MOMENT)
    assert sum(await asyncio.gather(*(fail_unresumed(world) for _ in range(4)))) == 1

    now = await stored(world, image)
    assert (now.status, now.failure, now.attempt_failed_at) == (Status.FAILED, ATTEMPT_FAILED, None)
    assert await world.funds(ann.id) == Funds(ann.id, 100, 0, None)
    assert await world.funds(mia.id) == Funds(mia.id, 0, 0, 0)
    [notification] = await notified(world, ann)
    assert notification.metadata == {
        "error_code": "INFERENCE_ERROR",
        "error_message": "CUDA error",
        "refunded_tokens": 30,
    }


async def test_another_failed_attempt_restarts_the_grace_period(world: World, image: Generation) -> None:
    for _ in range(2):
        await fail_attempt(world, image)
        world.clock.advance(GRACE - MOMENT)
        assert await fail_unresumed(world) == 0

    world.clock.advance(MOMENT)
    assert await fail_unresumed(world) == 1


async def test_progress_ends_the_grace_period(world: World, image: Generation) -> None:
    await advance(world, image, 20)
    await fail_attempt(world, image)
    assert await advance(world, image, 1) == Outcome(applied=True, status="processing")
    world.clock.advance(GRACE)

    assert await fail_unresumed(world) == 0
    assert (await stored(world, image)).attempt_failed_at is None


@pytest.mark.parametrize("code", ["GENERATION_ERROR", "GPU_OOM"])
async def test_a_failure_that_ends_the_attempts_ends_the_grace_period(
    world: World, image: Generation, code: str
) -> None:
    await fail_attempt(world, image)
    outcome = await world.use_case(FailGeneration)(image.id, Failure(code, "No."))
    assert outcome == Outcome(applied=True, status="retrying" if code == "GPU_OOM" else "failed")
    world.clock.advance(GRACE)

    assert await fail_unresumed(world) == 0


async def test_a_completion_within_the_grace_period_is_paid_once(
    world: World, ann: User, mia: User, image: Generation
) -> None:
    await fail_attempt(world, image)

    outcomes = await asyncio.gather(*(complete(world, image) for _ in range(3)))

    assert sum(outcome.applied for outcome in outcomes) == 1
    world.clock.advance(GRACE)
    assert await fail_unresumed(world) == 0
    assert await world.funds(ann.id) == Funds(ann.id, 70, 0, None)
    assert await world.funds(mia.id) == Funds(mia.id, 0, 0, 30)


async def test_a_completion_races_with_the_end_of_the_grace_period(world: World, ann: User, image: Generation) -> None:
    await fail_attempt(world, image)
    world.clock.advance(GRACE)
    blocker = await Block(world, lambda ports: ports.generations.of_id(image.id, lock=True)).open()
    looking = asyncio.create_task(fail_unresumed(world))
    completing = asyncio.create_task(complete(world, image))
    await blocker.commit()

    failed, outcome = await asyncio.gather(looking, completing)
    assert outcome.applied == (failed == 0)
    assert await world.funds(ann.id) == Funds(ann.id, 100 if failed else 70, 0, None)


@pytest.mark.parametrize("after", [timedelta(seconds=1), TIMEOUT])
async def test_the_time_out_does_not_apply_during_the_grace_period(
    world: World, image: Generation, after: timedelta
) -> None:
    world.clock.advance(TIMEOUT - MOMENT)
    await fail_attempt(world, image)
    world.clock.advance(GRACE - MOMENT)

    assert await time_out(world, after=after) == 0
    assert (await stored(world, image)).attempt == 1


async def test_the_time_out_counts_from_the_failed_attempt(world: World, image: Generation) -> None:
    """The pass has found it, but a failure is reported before it has the lock."""
    since = world.clock.now()
    world.clock.advance(TIMEOUT)
    await fail_attempt(world, image)

    outcome = await world.use_case(FailGeneration)(image.id, Failure("TIMEOUT", "No."), inactive_since=since)

    assert outcome == Outcome(applied=False, status="retrying")


async def test_the_oldest_failed_attempts_come_first_up_to_the_limit(world: World, ann: User, style: Style) -> None:
    images = [await world.generation(ann, style) for _ in range(3)]
    for image in reversed(images):
        await fail_attempt(world, image)
        world.clock.advance()
    world.clock.advance(GRACE)

    assert await unresumed(world, limit=2) == [images[2].id, images[1].id]
    assert [await fail_unresumed(world, limit=2) for _ in range(3)] == [2, 1, 0]


async def test_a_generation_that_cannot_be_failed_stops_no_other(
    world: World, ann: User, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [await world.generation(ann, style) for _ in range(3)]
    for image in images:
        await fail_attempt(world, image)
    world.clock.advance(GRACE)
    unresumed_once = FailGeneration.unresumed
    errors: list[Exception] = [HoldAlreadyResolved()]

    async def refuse(self: FailGeneration, generation_id: GenerationId, **options: object) -> Outcome:
        if errors:
            raise errors.pop()
        return await unresumed_once(self, generation_id, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(FailGeneration, "unresumed", refuse)

    assert await fail_unresumed(world) == 2
    errors.append(DatabaseUnavailable())
    with pytest.raises(DatabaseUnavailable):
        await fail_unresumed(world)
    assert await fail_unresumed(world) == 1


# --- results ----------------------------------------------------------------------------------------------------------


async def test_an_object_is_the_result_of_one_generation(world: World, ann: User, style: Style) -> None:
    first, second = [await world.generation(ann, style) for _ in range(2)]
    url = world.blobs.uri("generations/one.png")
    completing = world.use_case(CompleteGeneration)
    assert (await completing(first.id, result_url=url, metadata={})).applied

    with pytest.raises(ResultTaken):
        await world.use_case(CompleteGeneration)(second.id, result_url=url, metadata={})

    assert await stored(world, second) == second
    assert await world.funds(ann.id) == Funds(ann.id, 40, 30, None)
    assert not (await completing(first.id, result_url=url, metadata={})).applied


async def test_one_of_two_concurrent_claims_of_an_object_succeeds(world: World, ann: User, style: Style) -> None:
    images = [await world.generation(ann, style) for _ in range(2)]
    url = world.blobs.uri("generations/one.png")

    outcomes = await asyncio.gather(
        *(world.use_case(CompleteGeneration)(image.id, result_url=url, metadata={}) for image in images),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Outcome", "ResultTaken"]
    assert await world.funds(ann.id) == Funds(ann.id, 40, 30, None)


async def test_editing_a_generation_does_not_claim_its_object_again(world: World, ann: User, style: Style) -> None:
    made = await world.image(ann, style)
    edited = msgspec.structs.replace(made, description="Mine")

    await commit(world, lambda ports: ports.generations.save(edited))

    assert await stored(world, made) == edited


# --- trainings --------------------------------------------------------------------------------------------------------


async def test_a_retry_of_a_training_is_stored_with_its_time(world: World, mia: User) -> None:
    style = await world.untrained_style(mia, "Slow")
    await world.use_case(FailTraining)(style.version_id, Failure("TRAINING_FAILED", "No."))
    at = world.clock.advance()

    await world.use_case(RetrainStyle)(mia.id, style.id)

    assert (await world.training_of(style.id)).retried_at == at
    again = await world.use_case(FailTraining)(style.version_id, Failure("TRAINING_FAILED", "No."))
    assert again == Outcome(applied=False, status="pending")


async def test_failed_attempts_keep_the_task(world: World, ann: User, style: Style) -> None:
    requested = await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))
    before = await world.tasks()

    await world.use_case(FailGeneration)(requested.id, ATTEMPT_FAILED)

    assert await world.tasks() == before
