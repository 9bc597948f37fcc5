"""Objects of a process that crashed before any row referred to them."""

import asyncio
from datetime import timedelta
from io import BytesIO

import msgspec
import pytest

from adapters.memory.blobs import MemoryBlobStore
from core.blobs.purge_orphans import OrphanAge, PurgeOrphans
from core.derivatives import derivatives_of, original_of
from core.ports.blob_store import Blob
from core.ports.orphaned_blobs import Walk
from tests.support.world import World

AGE = timedelta(hours=24)
MOMENT = timedelta(microseconds=1)


async def put(world: World, *keys: str) -> None:
    await world.blobs.put(*(Blob(key, BytesIO(b"content"), "image/png") for key in keys))


def with_derivatives(key: str) -> list[str]:
    return [key, *derivatives_of(key)]


async def walk(world: World, *, limit: int = 100) -> int:
    return await world.use_case(PurgeOrphans, age=OrphanAge(AGE))(limit=limit)


async def referred(world: World) -> list[str]:
    """Objects of each kind with a row that refers to them."""
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    style = await world.style(mia, thumbnail_key="public/styles/7/face.png")
    image = await world.image(ann, style, public=True)
    thumbnail, picture = f"public/styles/{style.id}/face.png", f"public/profiles/{ann.id}/face.png"
    async with world.block() as scope:
        await scope.styles.save(msgspec.structs.replace(style, thumbnail_key=thumbnail))
        await scope.users.save(msgspec.structs.replace(ann, profile_image=picture))
    keys = [
        *with_derivatives(f"public/generations/{image.id}/image.png"),
        *with_derivatives(picture),
        *with_derivatives(thumbnail),
        *with_derivatives(f"samples/{style.id}/image_0.jpg"),
        f"signatures/{mia.id}/signature.png",
        f"training/{style.id}/image_0.jpg",
        f"training/{style.id}/image_0.txt",
    ]
    await put(world, *keys)
    return sorted(keys)


async def test_an_old_unreferenced_object_is_removed(world: World) -> None:
    wanted = await referred(world)
    named = [key for key in wanted if original_of(key) == key and not key.startswith(("samples/", "training/"))]
    stale = [f"{key}.old" for key in named]
    for key in (*stale, "samples/404/image_0.jpg", "public/odd.png"):
        await put(world, *with_derivatives(key))
    await put(world, "training/404/image_0.jpg", "signatures/x/y.png", "public/generations/1/lost.png.320.webp")
    everything = len(await world.blobs.keys(""))

    world.clock.advance(AGE - MOMENT)
    assert await walk(world) == everything
    assert len(await world.blobs.keys("")) == everything

    world.clock.advance(AGE)
    assert await walk(world) == everything
    assert await world.blobs.keys("") == wanted


async def test_objects_of_the_ai_servers_are_kept(world: World) -> None:
    await put(world, "generations/1.png", "models/1.safetensors")
    world.clock.advance(10 * AGE)

    assert await walk(world) == 0
    assert len(await world.blobs.keys("")) == 2


async def test_a_young_unreferenced_object_is_kept(world: World) -> None:
    await put(world, "training/404/image_0.jpg")
    world.clock.advance(AGE)
    await put(world, key := f"training/{await world.ids.style()}/image_0.jpg")

    await walk(world)

    assert await world.blobs.keys("") == [key]


async def test_the_walk_resumes_and_restarts_when_due(world: World) -> None:
    keys = [f"{folder}/404/{number}.png" for folder in ("public", "signatures", "training") for number in range(3)]
    await put(world, *keys)
    world.clock.advance(AGE)

    assert await walk(world, limit=4) == 4
    assert await world.blobs.keys("") == keys[4:]
    assert [await walk(world, limit=4), await walk(world, limit=4)] == [4, 1]
    assert await world.blobs.keys("") == []

    await put(world, "training/404/late.png")
    world.clock.advance(AGE - MOMENT)
    assert await walk(world) == 0
    world.clock.advance(MOMENT)
    assert await walk(world) == 1
    assert await world.blobs.keys("") == []


async def test_an_interrupted_pass_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(world, *(f"training/404/{number}.png" for number in range(4)))
    world.clock.advance(AGE)
    await walk(world, limit=2)

    async def die(_self: object, *_keys: str) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        dying.setattr(MemoryBlobStore, "delete", die)
        with pytest.raises(asyncio.CancelledError):
            await walk(world, limit=2)

    assert await walk(world, limit=2) == 2
    assert await world.blobs.keys("") == []


async def test_concurrent_walks_are_allowed(world: World) -> None:
    wanted = await referred(world)
    await put(world, *(f"training/404/{number:02}.png" for number in range(30)))
    world.clock.advance(AGE)

    async def to_the_end() -> None:
        while await walk(world, limit=7) == 7:
            pass

    await asyncio.gather(*(to_the_end() for _ in range(4)))

    assert await world.blobs.keys("") == wanted


async def test_unreferenced_keys_are_returned_in_their_order(world: World) -> None:
    wanted = await referred(world)
    strange = ["training/", "training/12345678901234567890123/x", "public/profiles/x/y", "", "x"]

    assert await world.orphans.among([*strange, *(key for key in wanted if original_of(key) == key)]) == strange
    assert await world.orphans.among([]) == []


async def test_the_position_of_a_walk_is_stored(world: World) -> None:
    assert await world.orphans.walk() is None
    for kept in (Walk(world.clock.now()), Walk(world.clock.advance(), "a/그림.png", ended=True)):
        await world.orphans.keep(kept)
        assert await world.orphans.walk() == kept
