"""What the tests of creating a style share."""

from io import BytesIO
from itertools import count
from typing import Any, TypeVar

import pytest

from core.accounts.model import User
from core.errors import DomainError
from core.requester import Requester
from core.styles.create_style import CreateStyle, TrainingImage
from core.styles.new_style import NewStyle
from core.styles.views import CreatedStyle
from core.tasks.model import PendingTask
from core.uploads import Upload
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import picture

Error = TypeVar("Error", bound=BaseException)

_NUMBERS = count()


def upload(index: int, content: bytes | None = None, *, caption: str | None = None) -> TrainingImage:
    """By default a picture like no other."""
    content = picture(color=f"#{next(_NUMBERS):06x}") if content is None else content
    return TrainingImage(Upload(f"{index}.png", len(content), BytesIO(content)), caption)


def uploads(count: int = 10) -> list[TrainingImage]:
    return [upload(index) for index in range(count)]


def as_artist(user: User) -> Requester:
    return Requester(user.id, user.role, is_artist=True)


async def create(
    world: MemoryWorld, artist: User, new: NewStyle, pictures: list[TrainingImage], *, limit: int = 10, **ports: Any
) -> CreatedStyle:
    return await world.use_case(CreateStyle, limit=limit, **ports)(as_artist(artist), new, pictures)


async def refused(
    world: MemoryWorld, kind: type[DomainError], new: NewStyle, images: list[TrainingImage], *, artist: str = "mia"
) -> DomainError:
    return await refused_to(world, await world.artist(artist), kind, new, images)


async def refused_to(
    world: MemoryWorld,
    artist: User,
    kind: type[Error],
    new: NewStyle,
    pictures: list[TrainingImage],
    *,
    styles_after: tuple[str, ...] = (),
    **ports: Any,
) -> Error:
    """The refusal, which has left neither rows nor objects behind."""
    before = await what_there_is(world)

    with pytest.raises(kind) as refusal:
        await create(world, artist, new, pictures, **ports)

    styles, keys, tasks = await what_there_is(world)
    assert (keys, tasks) == before[1:]
    assert styles == [*before[0], *styles_after]
    return refusal.value


async def what_there_is(world: MemoryWorld) -> tuple[list[str], list[str], list[PendingTask]]:
    styles = [style.name for style in world.database.tables.styles.values()]
    return styles, await world.blobs.keys(""), await world.tasks()
