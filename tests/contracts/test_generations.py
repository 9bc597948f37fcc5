"""The repository of generations."""

from datetime import timedelta

import msgspec
import pytest

from core.accounts.model import User
from core.generations.errors import GenerationNotFound
from core.generations.model import AspectRatio, Generation, GenerationProgress, Status
from core.identifiers import GenerationId
from core.tasks.outcome import Failure, Outcome
from tests.contracts.generations import a_buyer_and_a_style, advance, feed, progress, saving
from tests.contracts.overlap import Block, Work, commit, sending
from tests.support.scope import Scope
from tests.support.world import World, hold_for

# --- the repository ---------------------------------------------------------------------------------------------------


async def test_a_saved_generation_is_returned_unchanged(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(
        ann,
        style,
        aspect_ratio=AspectRatio.PORTRAIT,
        seed=2**32 - 1,
        description="고양이 🐈",
        prompt_tags=["cat", "a cat"],
    )
    assert await found(world, generation) == generation
    assert await commit(world, lambda ports: ports.generations.of_id(generation.id, lock=True)) == generation

    now = world.clock.advance(timedelta(microseconds=1))
    retried = generation.retry(
        at=now, due=now + timedelta(seconds=30), failure=Failure("TIMEOUT", "Too slow."), task_id=world.ids.task()
    )
    retried = msgspec.structs.replace(retried, progress=GenerationProgress(3, 50, 6.0, None, now))
    await commit(world, lambda ports: ports.generations.save(retried))
    assert await found(world, generation) == retried

    metadata: dict[str, object] = {"seed": 7, "steps": 50, "guidance_scale": 7.5, "more": [None, True, {"a": "b"}]}
    completed = retried.complete(at=now, result_key="generations/1.png", metadata=metadata)
    completed = completed.edit(at=now, description=None, public_key="public/generations/1/x.png")

    async def complete(ports: Scope) -> None:
        await ports.generations.save(completed)
        await ports.ledger.post(completed.hold_id, at=now)

    await commit(world, complete)
    assert await found(world, generation) == completed


async def test_a_failed_generation_is_stored_with_its_reason(world: World) -> None:
    failed = await world.failed_generation(*await a_buyer_and_a_style(world))

    assert failed.failure is not None
    assert await found(world, failed) == failed


async def test_a_generation_is_found_for_its_owner_only(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    bob = await world.user("bob")
    generation = await world.generation(ann, style)

    for lock in (False, True):
        assert await commit(world, of_owner(ann, generation.id, lock=lock)) == generation
        with pytest.raises(GenerationNotFound):
            await commit(world, of_owner(bob, generation.id, lock=lock))


async def test_an_unknown_id_is_not_found(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    nothing = await world.ids.generation()

    for lock in (False, True):
        with pytest.raises(GenerationNotFound):
            await commit(world, of_id(nothing, lock=lock))
        with pytest.raises(GenerationNotFound):
            await commit(world, of_owner(ann, nothing, lock=lock))
    generation = await world.unsaved_generation(ann, style, id=nothing)
    with pytest.raises(GenerationNotFound):
        await commit(world, saving(generation))
    with pytest.raises(GenerationNotFound):
        await advance(world, nothing, step=1)
    with pytest.raises(GenerationNotFound):
        await world.read.generations.detail(nothing, viewer=None)


async def test_a_returned_entity_is_independent_of_the_stored_one(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.image(ann, style, public=True, prompt_tags=["cat"])

    (await found(world, generation)).prompt_tags.append("smuggled")
    (await found(world, generation)).metadata["smuggled"] = True
    (await world.read.generations.detail(generation.id, viewer=None)).tags.append("smuggled")
    (await feed(world)).rows[0].tags.append("smuggled")
    generation.prompt_tags.append("smuggled")

    assert (await found(world, generation)).prompt_tags == ["cat"]
    assert (await found(world, generation)).metadata == {}
    assert (await feed(world)).rows[0].tags == ["cat"]


@pytest.mark.parametrize("by_owner", [False, True])
async def test_a_locking_read_waits_and_sees_the_new_state(world: World, by_owner: bool) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.generation(ann, style)
    read = of_owner(ann, generation.id, lock=True) if by_owner else of_id(generation.id, lock=True)

    async def retry(ports: Scope) -> None:
        seen = await ports.generations.of_id(generation.id, lock=True)
        failure = Failure("TIMEOUT", "Too slow.")
        await ports.generations.save(
            seen.retry(at=world.clock.now(), due=world.clock.now(), failure=failure, task_id=world.ids.task())
        )

    first = await Block(world, retry).open()
    second = await Block(world, read).waits()
    await first.commit()

    seen = await second.commit()
    assert isinstance(seen, Generation)
    assert (seen.status, seen.attempt) == (Status.RETRYING, 2)


async def test_saving_waits_for_the_lock_of_the_generation(world: World) -> None:
    generation = await world.generation(*await a_buyer_and_a_style(world))
    described = generation.edit(at=world.clock.now(), description="a cat", public_key=None)

    locking = await Block(world, of_id(generation.id, lock=True)).open()
    writing = await Block(world, sending(saving(described))).waits()

    assert await locking.commit() == generation
    await writing.commit()
    assert await found(world, generation) == described


async def test_uncommitted_changes_are_invisible_to_others(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    generation = await world.unsaved_generation(ann, style)

    async def request(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(generation))
        await ports.generations.add(generation)
        await ports.generations.of_id(generation.id)

    block = await Block(world, request).open()
    with pytest.raises(GenerationNotFound):
        await world.read.generations.detail(generation.id, viewer=ann.id)
    await block.roll_back()
    with pytest.raises(GenerationNotFound):
        await found(world, generation)
    assert (await world.funds(ann.id)).held_tokens == 0


async def test_only_a_completed_generation_counts_as_use_once(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    image = await world.image(ann, style)
    await world.generation(ann, style)
    await world.failed_generation(ann, style)

    for public_key in ("public/1.png", None):
        edited = image.edit(at=world.clock.advance(), description="a cat", public_key=public_key)
        await commit(world, saving(edited))

    assert (await world.read.styles.detail(style.id, viewer=None)).usage_count == 1


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_progress_starts_and_advances_the_generation(world: World) -> None:
    generation = await world.generation(*await a_buyer_and_a_style(world))

    for step in (1, 2, 50):
        at = world.clock.advance()
        assert await advance(world, generation.id, step=step) == Outcome(applied=True, status="processing")
        now = await found(world, generation)
        assert now.status is Status.PROCESSING
        assert now.progress == GenerationProgress(step, 50, step * 2.0, None, at)


@pytest.mark.parametrize("step", [4, 5])
async def test_progress_never_decreases(world: World, step: int) -> None:
    generation = await world.generation(*await a_buyer_and_a_style(world))
    await advance(world, generation.id, step=5)
    before = await found(world, generation)
    world.clock.advance()

    assert await advance(world, generation.id, step=step) == Outcome(applied=False, status="processing")

    assert await found(world, generation) == before


async def test_progress_of_a_new_attempt_starts_over(world: World) -> None:
    generation = await world.generation(*await a_buyer_and_a_style(world))
    await advance(world, generation.id, step=40)
    failure, now = Failure("TIMEOUT", "Too slow."), world.clock.now()
    await commit(
        world,
        saving(
            (await found(world, generation)).retry(
                at=now, due=now + timedelta(seconds=30), failure=failure, task_id=world.ids.task()
            )
        ),
    )

    assert await advance(world, generation.id, step=1) == Outcome(applied=True, status="processing")
    assert (await found(world, generation)).attempt == 2


async def test_progress_after_the_end_changes_nothing(world: World) -> None:
    ann, style = await a_buyer_and_a_style(world)
    for ended in (await world.image(ann, style), await world.failed_generation(ann, style)):
        world.clock.advance()

        assert await advance(world, ended.id, step=5) == Outcome(applied=False, status=ended.status.value)

        assert await found(world, ended) == ended


async def test_progress_waits_for_a_concurrent_end(world: World) -> None:
    generation = await world.generation(*await a_buyer_and_a_style(world))

    async def complete(ports: Scope) -> None:
        await ports.generations.of_id(generation.id, lock=True)
        now = world.clock.now()
        await ports.generations.save(generation.complete(at=now, result_key="generations/1.png", metadata={}))
        await ports.ledger.post(generation.hold_id, at=now)
        await ports.generations.of_id(generation.id)

    completing = await Block(world, complete).open()
    progressing = await Block(world, lambda ports: ports.generations.advance(generation.id, progress(world, 5))).waits()
    await completing.commit()

    assert await progressing.commit() == Outcome(applied=False, status="completed")
    assert (await found(world, generation)).status is Status.COMPLETED


async def test_progress_is_kept_when_the_surrounding_block_rolls_back(world: World) -> None:
    generation = await world.generation(*await a_buyer_and_a_style(world))

    async def work(ports: Scope) -> None:
        await ports.generations.advance(generation.id, progress(world, 5))

    await (await Block(world, work).open()).roll_back()

    assert (await found(world, generation)).progress == progress(world, 5)


async def found(world: World, generation: Generation) -> Generation:
    return await commit(world, lambda ports: ports.generations.of_id(generation.id))


def of_id(generation_id: GenerationId, *, lock: bool) -> Work:
    return lambda ports: ports.generations.of_id(generation_id, lock=lock)


def of_owner(owner: User, generation_id: GenerationId, *, lock: bool) -> Work:
    return lambda ports: ports.generations.of_owner(owner.id, generation_id, lock=lock)
