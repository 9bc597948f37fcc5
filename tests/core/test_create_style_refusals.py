"""Styles that are refused leave neither rows nor objects behind."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from core.accounts.errors import ArtistOnly
from core.errors import ValidationError
from core.ports.images import NotAnImage
from core.requester import Requester, Role
from core.styles.create_style import CreateStyle, TrainingImage
from core.styles.errors import (
    DuplicateImage,
    DuplicateStyleName,
    ImageResolutionTooLow,
    ImageSizeExceeded,
    InsufficientImages,
    InvalidImageFormat,
    RightsNotAffirmed,
    StyleLimitReached,
    TooManyImages,
)
from core.styles.new_style import NewStyle
from core.styles.views import OwnStyleDetail, RightsView
from core.tags import InvalidTagLanguage
from tests.core.creating_styles import as_artist, create, refused, refused_to, upload, uploads, what_there_is
from tests.core.failing import failing
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import picture

# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_only_artists_can_create_styles(world: MemoryWorld) -> None:
    ann = await world.user("ann")

    with pytest.raises(ArtistOnly):
        await world.use_case(CreateStyle, limit=10)(
            Requester(ann.id, Role.ADMIN, is_artist=False), NewStyle("Ink", 1), uploads()
        )
    assert await what_there_is(world) == ([], [], [])


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"name": "  "}, {"name"}),
        ({"name": "x" * 101}, {"name"}),
        ({"description": "x" * 2001}, {"description"}),
        ({"generation_cost_tokens": 0}, {"generation_cost_tokens"}),
        ({"generation_cost_tokens": 10_001}, {"generation_cost_tokens"}),
        ({"tags": [f"tag {number}" for number in range(51)]}, {"tags"}),
        ({"name": "", "generation_cost_tokens": -1}, {"name", "generation_cost_tokens"}),
    ],
)
async def test_invalid_fields_are_refused(world: MemoryWorld, changes: dict[str, Any], wrong: set[str]) -> None:
    new = msgspec.structs.replace(NewStyle("Ink", 1), **changes)

    refusal = await refused(world, ValidationError, new, uploads())

    assert set(refusal.details or {}) == wrong


@pytest.mark.parametrize("later", [timedelta(), -timedelta(seconds=1)])
async def test_valid_to_must_follow_valid_from(world: MemoryWorld, later: timedelta) -> None:
    now = world.clock.now()

    refusal = await refused(world, ValidationError, NewStyle("Ink", 1, valid_from=now, valid_to=now + later), uploads())

    assert set(refusal.details or {}) == {"valid_to"}


async def test_a_licence_begins_now_without_an_end_by_default(world: MemoryWorld) -> None:
    mia, now = await world.artist("mia"), world.clock.now()
    later, end = now + timedelta(days=1), now + timedelta(days=2)

    ink = await create(world, mia, NewStyle("Ink", 1), uploads())
    oil = await create(world, mia, NewStyle("Oil", 1, valid_from=later), uploads())
    wax = await create(world, mia, NewStyle("Wax", 1, valid_to=end), uploads())

    details = [await world.read.styles.detail(created.id, viewer=as_artist(mia)) for created in (ink, oil, wax)]
    assert [(style.valid_from, style.valid_to) for style in details] == [(now, None), (later, None), (now, end)]
    refusal = await refused(world, ValidationError, NewStyle("Ash", 1, valid_to=now), uploads(), artist="max")
    assert set(refusal.details or {}) == {"valid_to"}


async def test_a_too_long_caption_is_refused(world: MemoryWorld) -> None:
    images = [upload(0), upload(1, caption="x" * 501), *uploads(8)]

    refusal = await refused(world, ValidationError, NewStyle("Ink", 1), images)

    assert set(refusal.details or {}) == {"captions.1"}


@pytest.mark.parametrize(
    ("new", "explicit"), [(NewStyle("Ink", 1), False), (NewStyle("Ink", 1, rights_affirmed=True), True)]
)
async def test_affirmed_rights_are_stored(world: MemoryWorld, new: NewStyle, explicit: bool) -> None:
    mia, now = await world.artist("mia"), world.clock.now()

    created = await create(world, mia, new, uploads())

    detail = await world.read.styles.detail(created.id, viewer=as_artist(mia))
    assert isinstance(detail, OwnStyleDetail)
    assert detail.rights == RightsView(affirmed_by=mia.id, affirmed_at=now, explicit=explicit, version=1)


async def test_unaffirmed_rights_are_refused(world: MemoryWorld) -> None:
    await refused(world, RightsNotAffirmed, NewStyle("Ink", 1, rights_affirmed=False), uploads())


@pytest.mark.parametrize("tag", ["수채화", "", "x" * 101, "a,b", "naïve"])
async def test_a_non_english_tag_is_refused(world: MemoryWorld, tag: str) -> None:
    refusal = await refused(world, InvalidTagLanguage, NewStyle("Ink", 1, tags=["ink", tag]), uploads())

    assert set(refusal.details or {}) == {"tags"}


async def test_too_few_and_too_many_images_are_refused(world: MemoryWorld) -> None:
    few = await refused(world, InsufficientImages, NewStyle("Ink", 1), uploads(9))
    assert few.details == {"required": 10, "received": 9}

    many = await refused(world, TooManyImages, NewStyle("Ink", 1), uploads(101), artist="max")
    assert many.details == {"allowed": 100, "received": 101}


async def test_a_non_image_file_is_refused(world: MemoryWorld) -> None:
    images = uploads()
    images[7] = upload(7, b"GIF89a")

    refusal = await refused(world, InvalidImageFormat, NewStyle("Ink", 1), images)

    assert refusal.details == {"index": 7, "file": "7.png"}


async def test_a_too_large_image_is_refused(world: MemoryWorld) -> None:
    images = uploads()
    images[3] = TrainingImage(msgspec.structs.replace(images[3].upload, size=10 * 1024 * 1024 + 1))

    refusal = await refused(world, ImageSizeExceeded, NewStyle("Ink", 1), images)

    assert refusal.details == {"index": 3, "file": "3.png", "size": 10_485_761, "allowed": 10_485_760}


async def test_a_duplicate_image_is_refused(world: MemoryWorld) -> None:
    images = uploads()
    images[2] = upload(2, picture(600, 600))
    images[6] = upload(6, picture(600, 600) + b"behind it")

    refusal = await refused(world, DuplicateImage, NewStyle("Ink", 1), images)

    assert refusal.details == {"index": 6, "file": "6.png", "same_as": 2}


@pytest.mark.parametrize(("width", "height"), [(511, 512), (512, 511)])
async def test_a_too_small_image_is_refused(world: MemoryWorld, width: int, height: int) -> None:
    images = uploads()
    images[9] = upload(9, picture(width, height))

    refusal = await refused(world, ImageResolutionTooLow, NewStyle("Ink", 1), images)

    assert refusal.details == {"index": 9, "file": "9.png", "width": width, "height": height, "required": 512}


async def test_a_duplicate_name_is_refused(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    await world.style(mia, "Ink", is_active=False)

    await refused_to(world, mia, DuplicateStyleName, NewStyle(" Ink", 1), uploads())


async def test_the_number_of_styles_is_limited(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    await world.style(mia, "Ink", is_active=False)
    await world.untrained_style(mia, "Oil")

    refusal = await refused_to(world, mia, StyleLimitReached, NewStyle("Chalk", 1), uploads(), limit=2)

    assert refusal.details == {"limit": 2}
    await create(world, mia, NewStyle("Chalk", 1), uploads(), limit=3)


# --- what happens meanwhile -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["reencode", "shrink"])
async def test_an_image_that_cannot_be_copied_is_refused(world: MemoryWorld, call: str) -> None:
    mia = await world.artist("mia")
    before = set(await world.blobs.keys(""))
    images = failing(world.images, call, NotAnImage())

    with pytest.raises(InvalidImageFormat) as refusal:
        await create(world, mia, NewStyle("Ink", 1), uploads(), images=images)

    assert refusal.value.details == InvalidImageFormat(index=0, file="0.png").details
    assert set(await world.blobs.keys("")) == before
