"""Unreferenced objects are removed, however long the store is unavailable."""

from io import BytesIO

import pytest

from core.accounts.edit_profile import EditProfile, ProfileChanges
from core.accounts.errors import UsernameTaken
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.ports.blob_store import Blob, StoreUnavailable
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from tests.contracts.overlap import Block, commit
from tests.core.failing import failing
from tests.support.derivatives import originals
from tests.support.pictures import picture
from tests.support.world import World

PLACES = ["models/1.bin", "public/a.png", "training/1/"]


async def store(world: World, *keys: str) -> None:
    await world.blobs.put(*(Blob(key, BytesIO(b"x"), "image/png") for key in keys))


async def waiting(world: World) -> list[str]:
    return await commit(world, lambda ports: ports.discarded.batch(limit=100))


async def test_an_unwanted_key_is_stored_until_removed(world: World) -> None:
    await commit(world, lambda ports: ports.discarded.add(*PLACES))
    await commit(world, lambda ports: ports.discarded.add(PLACES[0]))
    await commit(world, lambda ports: ports.discarded.add())

    assert await waiting(world) == PLACES
    assert await commit(world, lambda ports: ports.discarded.batch(limit=2)) == PLACES[:2]
    await commit(world, lambda ports: ports.discarded.remove([PLACES[1], "unknown"]))
    assert await waiting(world) == [PLACES[0], PLACES[2]]


async def test_a_rollback_removes_no_object(world: World) -> None:
    block = await Block(world, lambda ports: ports.discarded.add(*PLACES)).open()
    await block.roll_back()

    assert await waiting(world) == []


async def test_an_entry_is_a_key_or_a_prefix(world: World) -> None:
    await store(world, "models/1.bin", "training/1/a.png", "training/1/a.txt", "training/10/a.png", "public/b.png")
    await commit(world, lambda ports: ports.discarded.add(*PLACES))

    assert await world.use_case(DeleteDiscardedObjects)(limit=100) == 3
    assert await world.use_case(DeleteDiscardedObjects)(limit=100) == 0

    assert await world.blobs.keys("") == ["public/b.png", "training/10/a.png"]
    assert await waiting(world) == []


@pytest.mark.parametrize("call", ["keys", "delete"])
async def test_entries_are_kept_while_the_store_is_unavailable(world: World, call: str) -> None:
    await store(world, "training/1/a.png")
    await commit(world, lambda ports: ports.discarded.add("training/1/"))
    away = failing(world.blobs, call, StoreUnavailable())

    with pytest.raises(StoreUnavailable):
        await world.use_case(DeleteDiscardedObjects, blobs=away)()
    assert await waiting(world) == ["training/1/"]
    await world.use_case(DeleteDiscardedObjects, blobs=away)()

    assert (await waiting(world), await world.blobs.keys("")) == ([], [])


async def test_objects_of_a_deleted_style_are_removed_after_an_outage(world: World) -> None:
    mia = await world.artist()
    style = await world.style(mia)
    await store(world, f"training/{style.id}/image_0.jpg", f"training/{style.id}/image_0.txt")

    await world.use_case(DeleteStyle, blobs=failing(world.blobs, "keys", StoreUnavailable()))(mia.id, style.id)
    assert len(await world.blobs.keys("training/")) == 2
    await world.use_case(DeleteDiscardedObjects)()

    assert await world.blobs.keys("training/") == []


async def test_a_replaced_image_is_removed_after_an_outage(world: World) -> None:
    mia = await world.artist()
    style = await world.style(mia)
    for away in (world.blobs, failing(world.blobs, "delete", StoreUnavailable())):
        await world.use_case(EditProfile, blobs=away)(mia.id, ProfileChanges(), BytesIO(picture()))
    for away in (world.blobs, failing(world.blobs, "delete", StoreUnavailable())):
        await world.use_case(EditStyle, blobs=away)(mia.id, style.id, StyleChanges(), BytesIO(picture()))
    assert len(originals(await world.blobs.keys("public/"))) == 4

    assert await world.use_case(DeleteDiscardedObjects)() == 2

    assert [key.split("/")[1] for key in originals(await world.blobs.keys("public/"))] == ["profiles", "styles"]


async def test_a_refused_change_keeps_the_present_image(world: World) -> None:
    mia, _ = await world.artist(), await world.user("ann")
    await world.use_case(EditProfile)(mia.id, ProfileChanges(), BytesIO(picture()))

    with pytest.raises(UsernameTaken):
        await world.use_case(EditProfile)(mia.id, ProfileChanges(username="ann"), BytesIO(picture()))

    assert await waiting(world) == []
    assert len(originals(await world.blobs.keys("public/"))) == 1
