from io import BytesIO
from typing import Any

import pytest
from msgspec import UNSET

from core.accounts.model import User
from core.derivatives import derivatives_of
from core.errors import ValidationError
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.errors import GenerationChanged, GenerationNotCompleted, GenerationNotFound, ResultBroken
from core.generations.model import Generation
from core.ports.blob_store import Blob, BlobNotFound, StoreUnavailable
from core.ports.images import NotAnImage
from core.ports.transaction import OutcomeUnknown
from tests.core.failing import Interrupted, LosesConnection, UnexpectedError, failing
from tests.support.derivatives import originals
from tests.support.memory_world import MemoryWorld
from tests.support.photographs import SECRETS, drawn, with_metadata
from tests.support.pictures import picture

PUBLISH = GenerationChanges(is_public=True)
HIDE = GenerationChanges(is_public=False)


async def test_a_published_image_is_a_public_copy(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    world.clock.advance()

    await edit(world, ann, image, PUBLISH)

    [key] = await public_keys(world)
    assert key.startswith(f"public/generations/{image.id}/")
    assert key.endswith(".png")
    assert await world.blobs.get(key) == picture()
    now = stored(world, image)
    assert (now.public_key, now.is_public, now.updated_at) == (key, True, world.clock.now())
    assert now.result_key == image.result_key


async def test_hiding_removes_the_copy_and_publishing_makes_a_new_key(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    await edit(world, ann, image, PUBLISH)
    [first] = await public_keys(world)

    await edit(world, ann, image, HIDE)
    assert (stored(world, image).public_key, await public_keys(world)) == (None, [])
    assert await world.blobs.get(f"generations/gen-{image.id}.png") == picture()

    await edit(world, ann, image, PUBLISH)
    [second] = await public_keys(world)
    assert stored(world, image).public_key == second != first


async def test_an_edit_without_changes_changes_nothing(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    await edit(world, ann, image, HIDE)
    assert stored(world, image).public_key is None

    await edit(world, ann, image, PUBLISH)
    [key] = await public_keys(world)
    await edit(world, ann, image, PUBLISH)
    assert (stored(world, image).public_key, await public_keys(world)) == (key, [key])


async def test_a_description_is_changed_removed_or_kept(world: MemoryWorld) -> None:
    ann, image = await an_image(world)

    for change, kept in (("a cat", "a cat"), (UNSET, "a cat"), (None, None), ("x" * 1000, "x" * 1000)):
        await edit(world, ann, image, GenerationChanges(description=change))
        assert stored(world, image).description == kept
        assert not stored(world, image).is_public


async def test_description_and_visibility_change_together(world: MemoryWorld) -> None:
    ann, image = await an_image(world)

    await edit(world, ann, image, GenerationChanges(is_public=True, description="a cat"))

    assert (stored(world, image).is_public, stored(world, image).description) == (True, "a cat")


async def test_a_description_can_be_set_before_completion(world: MemoryWorld) -> None:
    ann = await world.user("ann", tokens=30)
    generation = await world.generation(ann, await world.style(await world.artist()))

    await edit(world, ann, generation, GenerationChanges(is_public=False, description="a cat"))

    assert stored(world, generation).description == "a cat"


async def test_a_generation_without_an_image_cannot_be_published(world: MemoryWorld) -> None:
    ann = await world.user("ann", tokens=60)
    style = await world.style(await world.artist())

    for generation in (await world.generation(ann, style), await world.failed_generation(ann, style)):
        with pytest.raises(GenerationNotCompleted):
            await edit(world, ann, generation, PUBLISH)
        assert stored(world, generation) == generation
    assert await public_keys(world) == []


async def test_a_generation_that_is_not_completed_cannot_be_public(world: MemoryWorld) -> None:
    ann = await world.user("ann", tokens=30)
    generation = await world.generation(ann, await world.style(await world.artist()))

    with pytest.raises(GenerationNotCompleted):
        generation.edit(at=world.clock.now(), description=None, public_key="public/generations/1/x.png")


async def test_a_too_long_description_is_refused(world: MemoryWorld) -> None:
    ann, image = await an_image(world)

    with pytest.raises(ValidationError) as refused:
        await edit(world, ann, image, GenerationChanges(is_public=True, description="x" * 1001))

    assert set(refused.value.details or {}) == {"description"}
    assert (stored(world, image), await public_keys(world)) == (image, [])


async def test_only_the_owner_can_edit(world: MemoryWorld) -> None:
    _, image = await an_image(world)

    with pytest.raises(GenerationNotFound):
        await edit(world, await world.user("bob"), image, PUBLISH)

    assert (stored(world, image), await public_keys(world)) == (image, [])


async def test_an_image_missing_in_the_store_cannot_be_published(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    await world.blobs.delete(f"generations/gen-{image.id}.png")

    with pytest.raises(BlobNotFound):
        await edit(world, ann, image, PUBLISH)

    assert stored(world, image) == image


async def test_a_published_image_has_no_metadata(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    result = with_metadata(drawn(), "PNG")
    await world.blobs.put(Blob(f"generations/gen-{image.id}.png", BytesIO(result), "image/png"))

    await edit(world, ann, image, PUBLISH)

    [key] = await public_keys(world)
    for stored_key in (key, *derivatives_of(key)):
        shown = await world.blobs.get(stored_key)
        assert not any(secret in shown for secret in SECRETS)
    types = [world.blobs.content_type(stored_key) for stored_key in (key, *derivatives_of(key))]
    assert types == ["image/png", "image/webp", "image/jpeg", "image/webp", "image/jpeg"]
    assert await world.blobs.get(f"generations/gen-{image.id}.png") == result


@pytest.mark.parametrize("result", [b"", b"no image", picture()[:-20]])
async def test_a_broken_image_cannot_be_published(world: MemoryWorld, result: bytes) -> None:
    ann, image = await an_image(world)
    await world.blobs.put(Blob(f"generations/gen-{image.id}.png", BytesIO(result), "image/png"))

    with pytest.raises(ResultBroken):
        await edit(world, ann, image, PUBLISH)

    assert (stored(world, image), await public_keys(world)) == (image, [])


async def test_an_image_that_cannot_be_scaled_is_not_published(world: MemoryWorld) -> None:
    ann, image = await an_image(world)

    with pytest.raises(ResultBroken):
        await edit(world, ann, image, PUBLISH, images=failing(world.images, "shrink", NotAnImage()))

    assert (stored(world, image), await public_keys(world)) == (image, [])


async def test_one_of_two_concurrent_publications_is_refused(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    blobs = Interrupted(world.blobs, "put", lambda: edit(world, ann, image, PUBLISH))

    with pytest.raises(GenerationChanged):
        await edit(world, ann, image, PUBLISH, blobs=blobs)

    assert await public_keys(world) == [stored(world, image).public_key]


async def test_publishing_races_with_hiding(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    await edit(world, ann, image, PUBLISH)

    async def hide_and_publish() -> None:
        await edit(world, ann, image, HIDE)
        await edit(world, ann, image, PUBLISH)

    with pytest.raises(GenerationChanged):
        await edit(world, ann, image, HIDE, blobs=Interrupted(world.blobs, "delete", hide_and_publish))

    assert await public_keys(world) == [stored(world, image).public_key]


async def test_a_concurrently_changed_description_is_kept(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    describe = GenerationChanges(description="a cat")
    blobs = Interrupted(world.blobs, "put", lambda: edit(world, ann, image, describe))

    await edit(world, ann, image, PUBLISH, blobs=blobs)

    assert (stored(world, image).description, stored(world, image).is_public) == ("a cat", True)


async def test_a_store_outage_keeps_the_visibility(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    with pytest.raises(StoreUnavailable):
        await edit(world, ann, image, PUBLISH, blobs=failing(world.blobs, "put", StoreUnavailable()))
    assert (stored(world, image).is_public, await public_keys(world)) == (False, [])

    await edit(world, ann, image, PUBLISH)
    with pytest.raises(StoreUnavailable):
        await edit(world, ann, image, HIDE, blobs=failing(world.blobs, "delete", StoreUnavailable()))
    assert await public_keys(world) == [stored(world, image).public_key]


async def test_an_unexpected_failure_leaves_no_public_copy(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    scope = world.scope()
    generations = failing(scope.generations, "save")

    with pytest.raises(UnexpectedError):
        await edit(
            world, ann, image, PUBLISH, transaction=scope.transaction, generations=generations, styles=scope.styles
        )

    assert (stored(world, image), await public_keys(world)) == (image, [])


async def test_a_failure_while_hiding_leaves_no_public_copy(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    await edit(world, ann, image, PUBLISH)
    scope = world.scope()
    generations = failing(scope.generations, "save")

    with pytest.raises(UnexpectedError):
        await edit(world, ann, image, HIDE, transaction=scope.transaction, generations=generations)

    assert await public_keys(world) == []


async def test_a_copy_of_unknown_outcome_is_kept(world: MemoryWorld) -> None:
    ann, image = await an_image(world)
    scope = world.scope()
    transaction = LosesConnection(scope.transaction, at=2)

    with pytest.raises(OutcomeUnknown):
        await edit(
            world, ann, image, PUBLISH, transaction=transaction, generations=scope.generations, styles=scope.styles
        )

    assert await public_keys(world) == [stored(world, image).public_key]


async def an_image(world: MemoryWorld) -> tuple[User, Generation]:
    ann = await world.user("ann", tokens=30)
    image = await world.image(ann, await world.style(await world.artist("mia")))
    await world.blobs.put(Blob(f"generations/gen-{image.id}.png", BytesIO(picture()), "image/png"))
    return ann, image


async def edit(
    world: MemoryWorld, user: User, generation: Generation, changes: GenerationChanges, **ports: Any
) -> None:
    await world.use_case(EditGeneration, **ports)(user.id, generation.id, changes)


def stored(world: MemoryWorld, generation: Generation) -> Generation:
    return world.database.tables.generations[generation.id]


async def public_keys(world: MemoryWorld) -> list[str]:
    return originals(await world.blobs.keys("public/generations/"))
