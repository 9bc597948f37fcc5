import msgspec
from dishka import FromDishka
from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody

from core.artwork_uploads.create_version import CreateVersion, NewVersion
from core.artwork_uploads.errors import UnusableUpload, UploadMissing
from core.errors import Forbidden
from core.identifiers import StyleId, UploadId
from core.requester import Requester
from core.styles import errors
from core.styles.views import CreatedVersion, StyleVersionsReader, VersionCards, VersionDetail
from core.tags import InvalidTagLanguage
from entrypoints.http.envelope import Success
from entrypoints.http.operation import RouteLimit, get, post
from entrypoints.http.params import PathId
from entrypoints.http.routes.artwork_texts import uploaded_artworks
from entrypoints.http.security.access import artist, signed_in


class NewVersionFields(NewVersion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    upload_ids: list[UploadId]
    """Of files that have arrived, in the order of the artworks."""
    captions: list[str] = msgspec.field(default_factory=list)
    """One per upload, in the same order."""
    image_tags: list[str] = msgspec.field(default_factory=list)
    """One comma-separated list per upload, in the same order; an empty one where an image has none."""


class StyleVersionsController(Controller):
    path = "/api/styles/{style_id:int}/versions"
    tags = ("Styles",)

    @get(
        "/",
        guard=signed_in,
        refusals=(errors.StyleNotFound, Forbidden),
        summary="List versions of my style",
        description="Newest first. `in_use` is the one that generations are requested with.",
    )
    async def list_versions(
        self,
        style_id: PathId[StyleId],
        requester: NamedDependency[Requester],
        versions: FromDishka[StyleVersionsReader],
    ) -> Success[VersionCards]:
        return Success(data=await versions.list(style_id, viewer=requester))

    @get(
        "/{version:int}",
        guard=signed_in,
        refusals=(errors.StyleNotFound, errors.VersionNotFound, Forbidden),
        summary="Get a version of my style",
        description="With its artworks.",
    )
    async def detail(
        self,
        style_id: PathId[StyleId],
        version: PathId[int],
        requester: NamedDependency[Requester],
        versions: FromDishka[StyleVersionsReader],
    ) -> Success[VersionDetail]:
        return Success(data=await versions.detail(style_id, version, viewer=requester))

    @post(
        "/",
        guard=artist,
        limit=RouteLimit.UPLOAD,
        refusals=(
            errors.StyleNotFound,
            Forbidden,
            errors.StyleWithdrawn,
            errors.VersionNotReady,
            errors.VersionInTraining,
            errors.VersionLimitReached,
            errors.RightsNotAffirmed,
            errors.InsufficientImages,
            errors.TooManyImages,
            InvalidTagLanguage,
            UnusableUpload,
            UploadMissing,
        ),
        summary="Train a new version of my style",
        description=(
            "On uploads and, unless `keep_artworks` is false, the artworks of the version in use; from 10 to 100 in"
            " all. The version in use stays in use until another trained one is chosen by updating the style."
        ),
    )
    async def create(
        self,
        style_id: PathId[StyleId],
        data: JSONBody[NewVersionFields],
        requester: NamedDependency[Requester],
        create_version: FromDishka[CreateVersion],
    ) -> Response[Success[CreatedVersion]]:
        artworks = uploaded_artworks(data.upload_ids, data.captions, data.image_tags)
        created = await create_version(requester.id, style_id, data, artworks)
        return Response(
            Success(data=created), headers={"Location": f"/api/styles/{style_id}/versions/{created.version}"}
        )
