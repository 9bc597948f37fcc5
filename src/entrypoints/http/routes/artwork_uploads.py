import msgspec
from dishka import FromDishka
from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody

from core.accounts.errors import UserNotFound
from core.artwork_uploads.announce_uploads import AnnounceUploads, FileToUpload
from core.artwork_uploads.delete_upload import DeleteUpload
from core.artwork_uploads.errors import UploadLimitReached, UploadNotFound, UploadUsed
from core.artwork_uploads.list_unused_uploads import ListUnusedUploads
from core.artwork_uploads.views import AnnouncedUpload, UnusedUpload
from core.identifiers import UploadId
from core.requester import Requester
from core.styles.errors import ImageSizeExceeded, InvalidImageFormat
from entrypoints.http.envelope import Success
from entrypoints.http.operation import RouteLimit, delete, get, post
from entrypoints.http.params import PathId
from entrypoints.http.security.access import artist


class FilesToUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: list[FileToUpload]


class ArtworkUploadsController(Controller):
    path = "/api/styles/uploads"
    tags = ("Styles",)

    @post(
        "/",
        guard=artist,
        limit=RouteLimit.UPLOAD,
        refusals=(InvalidImageFormat, ImageSizeExceeded, UploadLimitReached, UserNotFound),
        summary="Announce artworks to upload",
        description="Answers where to send each of up to 100 files, which the service itself does not receive.",
    )
    async def announce(
        self,
        data: JSONBody[FilesToUpload],
        requester: NamedDependency[Requester],
        announce_uploads: FromDishka[AnnounceUploads],
    ) -> Response[Success[list[AnnouncedUpload]]]:
        announced = await announce_uploads(requester, data.files)
        return Response(Success(data=announced), headers={"Location": "/api/styles/uploads"})

    @get(
        "/",
        guard=artist,
        summary="List my unused uploads",
        description="With new URLs, so that an interrupted upload can be continued.",
    )
    async def list_uploads(
        self, requester: NamedDependency[Requester], list_unused_uploads: FromDishka[ListUnusedUploads]
    ) -> Success[list[UnusedUpload]]:
        return Success(data=await list_unused_uploads(requester))

    @delete(
        "/{upload_id:int}",
        guard=artist,
        refusals=(UploadNotFound, UploadUsed),
        summary="Delete my unused upload",
        description="With what has arrived of it.",
    )
    async def remove(
        self,
        upload_id: PathId[UploadId],
        requester: NamedDependency[Requester],
        delete_upload: FromDishka[DeleteUpload],
    ) -> None:
        await delete_upload(requester, upload_id)
