"""What the tests of new versions share."""

from typing import Any

from core.accounts.model import User
from core.artwork_uploads.arrived_uploads import UploadedArtwork
from core.artwork_uploads.create_version import CreateVersion, NewVersion
from core.artwork_uploads.views import AnnouncedUpload
from core.identifiers import StyleId, VersionId
from core.requester import Requester
from core.styles.complete_training import CompleteTraining
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.model import Style
from core.styles.new_style import ArtworkText, NewStyle
from core.styles.version import StyleVersion
from core.styles.views import CreatedVersion, OwnStyleDetail, VersionDetail
from core.tasks.model import Task, task_of
from core.tasks.outcome import Outcome
from tests.contracts.artwork_uploads import CONTENTS, arrived, as_artist, check, create
from tests.contracts.overlap import commit
from tests.support.pictures import picture
from tests.support.world import World

MORE = [picture(color=f"#00{index:02x}00") for index in range(1, 12)]


async def trained_style(world: World, artist: User, contents: list[bytes] = CONTENTS, **fields: Any) -> StyleId:
    """A style of uploads, whose objects are in the store."""
    style = await create(world, artist, await arrived(world, artist, contents), NewStyle("Ink", 30, **fields))
    await check(world)
    await complete(world, VersionId(style.id))
    await world.publish()
    return style.id


async def new_version(
    world: World,
    artist: User,
    style_id: StyleId,
    contents: list[bytes] | None = None,
    texts: list[ArtworkText] | None = None,
    *,
    uploads: list[AnnouncedUpload] | None = None,
    **fields: Any,
) -> CreatedVersion:
    uploads = await arrived(world, artist, MORE[:2] if contents is None else contents) if uploads is None else uploads
    texts = texts or [ArtworkText() for _ in uploads]
    artworks = [UploadedArtwork(upload.upload_id, text) for upload, text in zip(uploads, texts, strict=True)]
    return await world.use_case(CreateVersion)(artist.id, style_id, NewVersion(**fields), artworks)


async def checked_version(world: World, artist: User, style_id: StyleId, *args: Any, **fields: Any) -> StyleVersion:
    """A new version whose training is queued."""
    await new_version(world, artist, style_id, *args, **fields)
    while await check(world):
        pass
    return await world.training_of(style_id)


async def complete(world: World, version_id: VersionId) -> Outcome:
    return await world.use_case(CompleteTraining)(version_id, model_path=model_of(version_id), metric=None)


def model_of(version_id: VersionId) -> str:
    return f"gs://stylelicense-media/models/{version_id}.safetensors"


async def choose(world: World, artist: User, style_id: StyleId, number: int) -> None:
    await world.use_case(EditStyle)(artist.id, style_id, StyleChanges(version=number))


async def stored(world: World, style_id: StyleId) -> Style:
    return await commit(world, lambda ports: ports.styles.of_id(style_id))


async def own(world: World, artist: User, style_id: StyleId) -> OwnStyleDetail:
    detail = await world.read.styles.detail(style_id, viewer=as_artist(artist))
    assert isinstance(detail, OwnStyleDetail)
    return detail


async def shown(world: World, artist: User, style_id: StyleId, number: int) -> VersionDetail:
    viewer = Requester(artist.id, artist.role, is_artist=True)
    return await world.read.versions.detail(style_id, number, viewer=viewer)


async def tasks(world: World) -> list[Task]:
    return [task_of(task.body) for task in await world.tasks()]
