"""Creating a style: its rows, objects and training task, and failures on the way."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import msgspec
import pytest
from PIL import Image

from core.derivatives import derivatives_of
from core.errors import DomainError, ValidationError
from core.identifiers import VersionId
from core.ports.blob_store import Blob, StoreUnavailable
from core.ports.transaction import OutcomeUnknown
from core.styles.create_style import CreateStyle
from core.styles.errors import (
    DuplicateStyleName,
    StyleLimitReached,
)
from core.styles.model import License
from core.styles.new_style import NewStyle
from core.styles.views import CreatedStyle
from core.tags import InvalidTagLanguage
from tests.core.creating_styles import as_artist, create, refused_to, upload, uploads
from tests.core.failing import Interrupted, LosesConnection, UnexpectedError, failing
from tests.support.memory_world import MemoryWorld
from tests.support.photographs import SECRETS, drawn, galaxy_trailer, jpeg_with, segment, with_metadata
from tests.support.pictures import picture


async def test_a_style_is_created_and_pending(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    new = NewStyle(
        name="  Wet Ink ",
        description=" 검은 먹 ",
        generation_cost_tokens=10_000,
        license_type=License.COMMERCIAL,
        tags=["Black  and White", "ink"],
        valid_from=world.clock.now(),
        valid_to=world.clock.now() + timedelta(days=1),
        show_samples=False,
    )

    created = await create(world, mia, new, uploads())

    assert created == CreatedStyle(created.id, "Wet Ink", "pending", 10, world.clock.now(), None)
    async with world.block() as scope:
        style = await scope.styles.of_id(created.id)
    assert (style.artist_id, style.name, style.description) == (mia.id, "Wet Ink", "검은 먹")
    assert (style.generation_cost_tokens, style.license_type) == (10_000, License.COMMERCIAL)
    assert (style.valid_from, style.valid_to, style.show_samples) == (new.valid_from, new.valid_to, False)
    assert style.tags == ["wet ink", "black and white", "ink"]
    assert (style.created_at, style.updated_at, style.is_active) == (world.clock.now(), world.clock.now(), True)


async def test_artworks_and_captions_have_the_documented_keys(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    before = set(await world.blobs.keys(""))
    images = [*uploads(9), upload(9, picture(600, 512, format="jpeg"), caption=" a cat, red hat ")]

    created = await create(world, mia, NewStyle("Ink", 1), images)

    folder = f"training/{created.id}"
    samples = [f"samples/{created.id}/image_{index}.png" for index in range(4)]
    assert set(await world.blobs.keys("")) - before == {
        *(f"{folder}/image_{index}.png" for index in range(9)),
        f"{folder}/image_9.jpg",
        f"{folder}/image_9.txt",
        *samples,
        *derivatives_of(*samples),
    }
    assert await world.blobs.get(f"{folder}/image_9.jpg") == picture(600, 512, format="jpeg")
    assert world.blobs.content_type(f"{folder}/image_9.jpg") == "image/jpeg"
    assert await world.blobs.get(f"{folder}/image_9.txt") == b"a cat, red hat"
    artwork = world.database.tables.artworks[VersionId(created.id)][9]
    assert (artwork.index, artwork.key, artwork.caption) == (9, f"{folder}/image_9.jpg", "a cat, red hat")
    assert (artwork.format, artwork.width, artwork.height) == ("jpeg", 600, 512)
    assert artwork.size == len(picture(600, 512, format="jpeg"))


async def test_tags_are_collected(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    images = [upload(0, caption="cat, a walk in the park!, Red Hat"), upload(1, caption="빨간 모자, cat"), *uploads(8)]

    created = await create(world, mia, NewStyle("Ink", 1, tags=["black", "ink"]), images)

    assert world.database.tables.styles[created.id].tags == ["ink", "black", "cat", "red hat"]
    artworks = world.database.tables.artworks[VersionId(created.id)]
    assert [artwork.tags for artwork in artworks[:3]] == [["ink", "cat", "red hat"], ["ink", "cat"], ["ink"]]


async def test_tags_are_given_per_image(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    first = msgspec.structs.replace(upload(0, caption="a hat"), tags=["Red  Cat", "ink", "red cat"])
    images = [first, *uploads(8), msgspec.structs.replace(upload(9), tags=["dog"])]

    created = await create(world, mia, NewStyle("Ink", 1, tags=["black"]), images)

    assert world.database.tables.styles[created.id].tags == ["ink", "black", "red cat", "a hat", "dog"]
    artworks = world.database.tables.artworks[VersionId(created.id)]
    assert [artworks[index].tags for index in (0, 1, 9)] == [["ink", "red cat", "a hat"], ["ink"], ["ink", "dog"]]


async def test_tags_of_an_image_are_validated(world: MemoryWorld) -> None:
    mia = await world.artist("mia")

    for tags, error in ((["고양이"], InvalidTagLanguage), ([str(number) for number in range(51)], ValidationError)):
        images = [*uploads(9), msgspec.structs.replace(upload(9), tags=tags)]
        with pytest.raises(error) as refused:
            await create(world, mia, NewStyle("Ink", 1), images)
        assert set(refused.value.details or {}) == {"image_tags.9"}


async def test_training_gets_originals_and_samples_are_clean_copies(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    original = with_metadata(drawn("RGB", (1500, 2250)), "JPEG", orientation=6)
    originals = [jpeg_with(original, segment(0xFE, b"%d" % index)) for index in range(10)]
    images = [upload(index, content + galaxy_trailer()) for index, content in enumerate(originals)]

    created = await create(world, mia, NewStyle("Ink", 1), images)

    for artwork in world.database.tables.artworks[VersionId(created.id)]:
        assert await world.blobs.get(artwork.key) == originals[artwork.index]
        assert artwork.size == len(originals[artwork.index])
        assert (artwork.sample_key is not None) == (artwork.index < 4)
        if artwork.sample_key:
            shown = await world.blobs.get(artwork.sample_key)
            assert not any(secret in shown for secret in SECRETS)
            with Image.open(BytesIO(shown)) as image:
                assert image.size == (1024, 683)


async def test_a_name_that_is_not_a_valid_tag_is_not_added(world: MemoryWorld) -> None:
    mia = await world.artist("mia")

    created = await create(world, mia, NewStyle("먹", 1, tags=["ink"]), uploads())

    assert world.database.tables.styles[created.id].tags == ["ink"]
    assert world.database.tables.artworks[VersionId(created.id)][0].tags == []


async def test_the_task_equals_the_documented_bytes(world: MemoryWorld) -> None:
    mia = await world.artist("mia")

    created = await create(world, mia, NewStyle("Ink", 1), uploads())

    [task] = await world.tasks()
    task_id = world.database.tables.style_versions[VersionId(created.id)].task_id
    images = ",".join(f'"gs://stylelicense-media/training/{created.id}/image_{index}.png"' for index in range(10))
    assert (task.task_id, task.queue) == (task_id, "model_training")
    assert task.body.decode() == (
        f'{{"task_id":"{task_id}","type":"model_training","created_at":"2026-01-01T00:00:00Z",'
        f'"data":{{"style_id":{created.id},"images":[{images}],"tags":["ink"],'
        f'"parameters":{{"epochs":200,"learning_rate":0.0001,"batch_size":1}}}},'
        '"webhook_url":"https://api.example/api/webhooks/training/complete"}'
    )


async def test_a_style_has_up_to_a_hundred_images(world: MemoryWorld) -> None:
    mia = await world.artist("mia")

    created = await create(world, mia, NewStyle("Ink", 1), uploads(100))

    assert created.artwork_count == 100
    assert len(await world.blobs.keys("training/")) == 100


async def test_another_artist_can_use_the_name(world: MemoryWorld) -> None:
    await world.style(await world.artist("max"), "Ink")

    await create(world, await world.artist("mia"), NewStyle("Ink", 1), uploads())


# --- what happens meanwhile -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "refusal"), [("Ink", DuplicateStyleName), ("Oil", StyleLimitReached)], ids=["same name", "limit"]
)
async def test_a_concurrently_created_style_counts(world: MemoryWorld, other: str, refusal: type[DomainError]) -> None:
    mia = await world.artist("mia")
    ids = Interrupted(world.ids, "style", lambda: world.style(mia, other))

    await refused_to(world, mia, refusal, NewStyle("Ink", 1), uploads(), ids=ids, limit=1, styles_after=(other,))


@pytest.mark.parametrize("error", [UnexpectedError(), StoreUnavailable(), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize(
    "stage",
    [
        lambda world, scope, error: {"images": failing(world.images, "inspect", error)},
        lambda world, scope, error: {"ids": failing(world.ids, "artwork", error)},
        lambda world, scope, error: {"blobs": StoresHalf(world, error)},
        lambda world, scope, error: {"styles": failing(scope.styles, "add", error)},
        lambda world, scope, error: {"queue": failing(scope.queue, "put", error)},
    ],
    ids=["inspecting", "numbering", "storing", "writing", "queueing"],
)
async def test_a_failure_at_any_stage_stores_nothing(
    world: MemoryWorld, stage: Callable[..., dict[str, object]], error: BaseException
) -> None:
    mia = await world.artist("mia")
    scope = world.scope()
    ports: dict[str, Any] = {"transaction": scope.transaction, "styles": scope.styles, "queue": scope.queue}

    await refused_to(world, mia, type(error), NewStyle("Ink", 1), uploads(), **(ports | stage(world, scope, error)))

    await create(world, mia, NewStyle("Ink", 1), uploads())


@pytest.mark.parametrize("unknown", [OutcomeUnknown, asyncio.CancelledError])
async def test_objects_of_an_unknown_outcome_are_kept(world: MemoryWorld, unknown: type[BaseException]) -> None:
    mia = await world.artist("mia")
    scope = world.scope()
    create_style = world.use_case(
        CreateStyle,
        limit=10,
        transaction=LosesConnection(scope.transaction, at=2, error=unknown),
        styles=scope.styles,
        queue=scope.queue,
    )

    with pytest.raises(unknown):
        await create_style(as_artist(mia), NewStyle("Ink", 1), uploads())

    assert len(await world.blobs.keys("training/")) == 10
    assert [style.name for style in world.database.tables.styles.values()] == ["Ink"]


async def test_a_store_outage_does_not_mask_the_refusal(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    ids = Interrupted(world.ids, "style", lambda: world.style(mia, "Ink"))
    blobs = failing(world.blobs, "delete", StoreUnavailable())

    with pytest.raises(DuplicateStyleName):
        await create(world, mia, NewStyle("Ink", 1), uploads(), ids=ids, blobs=blobs)


async def test_a_store_outage_does_not_mask_a_cancellation(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    blobs = failing(StoresHalf(world, asyncio.CancelledError()), "delete", StoreUnavailable())

    with pytest.raises(asyncio.CancelledError):
        await create(world, mia, NewStyle("Ink", 1), uploads(), blobs=blobs)


class StoresHalf:
    """A store that fails in the middle."""

    def __init__(self, world: MemoryWorld, error: BaseException) -> None:
        self._blobs = world.blobs
        self._error = error

    async def put(self, *blobs: Blob) -> None:
        await self._blobs.put(*blobs[:5])
        raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)
