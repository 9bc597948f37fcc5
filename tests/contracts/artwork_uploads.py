"""What the tests of uploads share."""

from core.accounts.model import User
from core.artwork_uploads.announce_uploads import AnnounceUploads, FileToUpload
from core.artwork_uploads.list_unused_uploads import ListUnusedUploads
from core.artwork_uploads.views import AnnouncedUpload, UnusedUpload
from core.requester import Requester
from tests.support.world import World


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
