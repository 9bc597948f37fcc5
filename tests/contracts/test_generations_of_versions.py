"""Generations keep the version that they were requested with."""

import asyncio

import pytest

from core.accounts.model import User
from core.generations.complete_generation import CompleteGeneration
from core.generations.fail_generation import FailGeneration
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.time_out_generations import GenerationTimeout, TimeOutGenerations
from core.identifiers import GenerationId, StyleId, VersionId
from core.styles.fail_training import FailTraining
from core.styles.model import Style
from core.styles.record_training_progress import RecordTrainingProgress
from core.styles.version import StyleVersion
from core.tasks.model import GenerationTask
from core.tasks.outcome import Failure, Outcome
from tests.contracts.new_versions import choose, complete, stored, tasks
from tests.contracts.overlap import commit
from tests.contracts.time_outs import TIMEOUT
from tests.support.world import World

OUT_OF_MEMORY = Failure("GPU_OOM", "Out of memory.")
BUYERS = 16


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia)


@pytest.fixture
async def second(world: World, style: Style) -> StyleVersion:
    return await world.version(style)


async def request(world: World, buyer: User, style: Style) -> GenerationId:
    return (await world.use_case(RequestGeneration)(buyer.id, NewGeneration(style.id, ["cat"]))).id


async def models(world: World) -> dict[GenerationId, tuple[VersionId, str]]:
    """Of the tasks that wait: what the inference server is told of the model."""
    found = [task for task in await tasks(world) if isinstance(task, GenerationTask)]
    return {task.data.generation_id: (task.data.style_id, task.data.lora_path) for task in found}


async def test_a_generation_has_the_version_in_use(world: World, mia: User, style: Style, second: StyleVersion) -> None:
    ann = await world.user("ann", tokens=100)
    first = await request(world, ann, style)
    await choose(world, mia, style.id, 2)
    later = await request(world, ann, style)

    assert await models(world) == {
        first: (style.version_id, style.model_path),
        later: (second.id, second.model_path),
    }
    for generation_id, number in ((first, 1), (later, 2)):
        detail = await world.read.generations.detail(generation_id, viewer=ann.id)
        assert (detail.style.id, detail.style.version) == (style.id, number)


@pytest.mark.parametrize("ended", ["failed", "timed out"])
async def test_a_retry_has_the_version_of_the_request(
    world: World, mia: User, style: Style, second: StyleVersion, ended: str
) -> None:
    image = await request(world, await world.user("ann", tokens=100), style)
    await world.publish()
    await choose(world, mia, style.id, 2)

    if ended == "failed":
        await world.use_case(FailGeneration)(image, OUT_OF_MEMORY)
    else:
        world.clock.advance(TIMEOUT)
        await world.use_case(TimeOutGenerations, timeout=GenerationTimeout(TIMEOUT))()

    assert await models(world) == {image: (style.version_id, style.model_path)}
    url = f"gs://stylelicense-media/generations/gen-{image}.png"
    await world.use_case(CompleteGeneration)(image, result_url=url, metadata={})
    assert (await commit(world, lambda ports: ports.generations.of_id(image))).style_version == 1
    assert (await world.funds(mia.id)).earned_token_balance == 30


async def test_concurrent_requests_have_the_model_of_their_version(
    world: World, mia: User, style: Style, second: StyleVersion
) -> None:
    buyers = [await world.user(f"buyer-{number}", tokens=100) for number in range(BUYERS)]
    wanted = {1: (style.version_id, style.model_path), 2: (second.id, second.model_path)}

    async def switch() -> None:
        for number in (2, 1, 2, 1, 2):
            await choose(world, mia, style.id, number)

    images, _ = await asyncio.gather(
        asyncio.gather(*(request(world, buyer, style) for buyer in buyers for _ in range(2))), switch()
    )

    sent = await models(world)
    assert sent.keys() == set(images)
    for generation_id in images:
        version = (await commit(world, lambda ports, id=generation_id: ports.generations.of_id(id))).style_version  # type: ignore[misc]
        assert sent[generation_id] == wanted[version]


# --- webhooks ---------------------------------------------------------------------------------------------------------


async def progress(world: World, version_id: VersionId, epoch: int) -> Outcome:
    return await world.use_case(RecordTrainingProgress)(
        version_id, current_epoch=epoch, total_epochs=200, progress_percent=epoch / 2, estimated_seconds=None
    )


async def test_webhooks_reach_their_own_version_only(world: World, mia: User, style: Style) -> None:
    first = await world.training_of(style.id)
    second = await world.version(style, trained=False)

    assert await progress(world, second.id, 5) == Outcome(applied=True, status="training")
    for late in (progress(world, first.id, 9), complete(world, first.id)):
        assert await late == Outcome(applied=False, status="completed")
    assert await world.use_case(FailTraining)(first.id, Failure("TRAINING_ERROR", "No.")) == Outcome(
        applied=False, status="completed"
    )
    assert await commit(world, lambda ports: ports.versions.of_id(first.id)) == first
    assert await world.use_case(FailTraining)(second.id, Failure("TRAINING_ERROR", "No.")) == Outcome(
        applied=True, status="failed"
    )
    third = await world.version(style, trained=False)

    assert await complete(world, second.id) == Outcome(applied=True, status="completed")
    for _ in range(2):
        assert await complete(world, second.id) == Outcome(applied=False, status="completed")
        assert await progress(world, second.id, 7) == Outcome(applied=False, status="completed")

    assert await commit(world, lambda ports: ports.versions.of_id(third.id)) == third
    assert await stored(world, style.id) == style
    assert StyleId(second.id) != style.id
