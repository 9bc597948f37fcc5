"""What the tests of uploads share."""

from core.accounts.model import User
from core.artwork_uploads.announce_uploads import AnnounceUploads, FileToUpload
from core.artwork_uploads.arrived_uploads import UploadedArtwork
from core.artwork_uploads.check_artworks import CheckArtworks
from core.artwork_uploads.create_style_from_uploads import CreateStyleFromUploads
from core.artwork_uploads.list_unused_uploads import ListUnusedUploads
from core.artwork_uploads.views import AnnouncedUpload, UnusedUpload
from core.requester import Requester
from core.styles.new_style import ArtworkText, NewStyle
from core.styles.views import CreatedStyle
from tests.support.pictures import picture
from tests.support.world import World

INK = NewStyle("Ink", 1)
CONTENTS = [picture(color=f"#0000{index:02x}") for index in range(10)]


def as_artist(user: User) -> Requester:
    return Requester(user.id, user.role, is_artist=True)


def files(*sizes: int) -> list[FileToUpload]:
    return [FileToUpload(f"{index}.png", "image/png", size) for index, size in enumerate(sizes)]


async def announce(world: World, artist: User, *sizes: int) -> list[AnnouncedUpload]:
    return await world.use_case(AnnounceUploads)(as_artist(artist), files(*sizes))


async def unused(world: World, artist: User) -> list[UnusedUpload]:
    return await world.use_case(ListUnusedUploads)(as_artist(artist))


def send(world: World, upload: AnnouncedUpload, content: bytes) -> bool:
    """As a browser does; whether it is stored."""
    return world.blobs.receive(upload.upload_url, upload.headers, content)


async def arrived(world: World, artist: User, contents: list[bytes] = CONTENTS) -> list[AnnouncedUpload]:
    """Uploads that are announced and sent."""
    uploads = await announce(world, artist, *map(len, contents))
    for upload, content in zip(uploads, contents, strict=True):
        assert send(world, upload, content)
    return uploads


async def create(
    world: World,
    artist: User,
    uploads: list[AnnouncedUpload],
    new: NewStyle = INK,
    texts: list[ArtworkText] | None = None,
) -> CreatedStyle:
    texts = texts or [ArtworkText() for _ in uploads]
    artworks = [UploadedArtwork(upload.upload_id, text) for upload, text in zip(uploads, texts, strict=True)]
    return await world.use_case(CreateStyleFromUploads)(as_artist(artist), new, artworks)


async def check(world: World, *, limit: int = 20) -> int:
    return await world.use_case(CheckArtworks)(limit=limit)


async def created(world: World, contents: list[bytes] = CONTENTS, *, artist: User | None = None) -> CreatedStyle:
    artist = artist or await world.artist()
    return await create(world, artist, await arrived(world, artist, contents))
