from datetime import UTC, datetime
from enum import Enum
from typing import Annotated

import msgspec
from dishka import FromDishka
from litestar import Controller, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, HeaderParameter, JSONBody, QueryParameter
from msgspec import UNSET

from core.accounts.errors import InvalidPicture
from core.artwork_uploads.create_style_from_uploads import CreateStyleFromUploads
from core.artwork_uploads.errors import UnusableUpload, UploadMissing
from core.audit.model import Operator
from core.errors import Forbidden, ValidationError
from core.generations.views import FeedItem, FeedQuery, GenerationsReader
from core.identifiers import MAX_ID, StyleId, UploadId, UserId
from core.live_events import Watcher
from core.requester import Requester
from core.styles import errors
from core.styles.create_style import CreateStyle, TrainingImage
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.new_style import NewStyle
from core.styles.retrain_style import RetrainStyle
from core.styles.version import MAX_ARTWORKS, MAX_IMAGE
from core.styles.views import (
    CreatedStyle,
    OwnStyleCard,
    OwnStyleDetail,
    RecommendedTags,
    StyleCard,
    StyleDetail,
    StyleQuery,
    StyleSort,
    StylesReader,
)
from core.styles.watch_training import WatchTraining
from core.tags import InvalidTagLanguage, normalize_tags
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from entrypoints.http.body import decode, whole_body
from entrypoints.http.envelope import Success
from entrypoints.http.errors import AnyRequest
from entrypoints.http.forms import FormBody
from entrypoints.http.middleware.idempotency import has_key
from entrypoints.http.open_streams import TooManyStreams
from entrypoints.http.operation import RouteLimit, delete, get, patch, post
from entrypoints.http.paging import Paging, Results
from entrypoints.http.params import PathId, comma_separated
from entrypoints.http.problems import TIME_OUT_OF_RANGE
from entrypoints.http.routes.artwork_texts import artwork_texts, uploaded_artworks
from entrypoints.http.security.access import artist, session_optional, signed_in
from entrypoints.http.streams import LAST_EVENT_ID, MEDIA_TYPE, EventStream
from entrypoints.logs import trace_id

MAX_BODY = MAX_ARTWORKS * MAX_IMAGE + 8 * 1024 * 1024
"""Bytes: the largest number of artworks at their maximum size, with captions."""

MAX_THUMBNAIL_BODY = 4 * 1024 * 1024
"""Bytes: an image of 2 MB as a data URL, and some text."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class TrainingFilter(Enum):
    COMPLETED = "completed"
    ALL = "all"
    """Includes the requester's own unfinished styles."""


class StyleFields(NewStyle, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tags` may be repeated or comma-separated."""

    captions: list[str] = msgspec.field(default_factory=list)
    """One per image, in the same order."""
    image_tags: list[str] = msgspec.field(default_factory=list)
    """One comma-separated list per image, in the same order; an empty one where an image has none."""
    valid_from: Moment | None = None
    valid_to: Moment | None = None


class UploadedStyleFields(StyleFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As in a form, with uploads instead of files."""

    upload_ids: list[UploadId]
    """Of files that have arrived, in the order of the artworks."""


def _check_image(*, index: int, name: str, size: int) -> None:
    """Raises TooManyImages or ImageSizeExceeded before the rest is taken in."""
    if index >= MAX_ARTWORKS:
        raise errors.TooManyImages(allowed=MAX_ARTWORKS, received=index + 1)
    if size > MAX_IMAGE:
        raise errors.ImageSizeExceeded(index=index, file=name, size=size, allowed=MAX_IMAGE)


STYLE = FormBody(
    StyleFields,
    files=("images", "training_images"),
    several=True,
    lists=("tags", "captions", "image_tags"),
    check_file=_check_image,
    json_fields=UploadedStyleFields,
)
CHANGES = FormBody(StyleChanges, files=("thumbnail",), json=True)

REFUSALS = (
    errors.StyleLimitReached,
    errors.DuplicateStyleName,
    errors.RightsNotAffirmed,
    errors.InsufficientImages,
    errors.TooManyImages,
    errors.InvalidImageFormat,
    errors.ImageSizeExceeded,
    errors.DuplicateImage,
    errors.ImageResolutionTooLow,
    InvalidTagLanguage,
    UnusableUpload,
    UploadMissing,
)


class StylesController(Controller):
    path = "/api/styles"
    tags = ("Styles",)

    @get("/", guard=session_optional, refusals=(InvalidTagLanguage,), summary="List styles")
    async def list(
        self,
        viewer: NamedDependency[Requester | None],
        paging: NamedDependency[Paging],
        styles: FromDishka[StylesReader],
        sort: FromQuery[StyleSort] = StyleSort.RECENT,
        with_tags: Annotated[str, QueryParameter(name="tags", description="Comma-separated; all must match.")] = "",
        artist_id: Annotated[int | None, QueryParameter(ge=1, le=MAX_ID)] = None,
        training_status: FromQuery[TrainingFilter] = TrainingFilter.COMPLETED,
    ) -> Success[Results[StyleCard]]:
        query = StyleQuery(
            sort=sort,
            tags=normalize_tags(comma_separated([with_tags]), field="tags"),
            artist_id=UserId(artist_id) if artist_id else None,
            own_unfinished=viewer.id if viewer and training_status is TrainingFilter.ALL else None,
        )
        order = f"styles:{sort.value}"
        return Success(data=paging.results(order, await styles.list(query, page=paging.request(order))))

    @get("/me", guard=artist, summary="List my styles", description="In every status.")
    async def list_own(
        self, requester: NamedDependency[Requester], paging: NamedDependency[Paging], styles: FromDishka[StylesReader]
    ) -> Success[Results[OwnStyleCard]]:
        page = await styles.list_own(requester.id, page=paging.request("own-styles"))
        return Success(data=paging.results("own-styles", page))

    @get(
        "/{style_id:int}",
        guard=session_optional,
        refusals=(errors.StyleNotFound,),
        summary="Get a style",
        description="With more fields for its owner.",
        answers=(Success[OwnStyleDetail], Success[StyleDetail]),
    )
    async def detail(
        self, style_id: PathId[StyleId], viewer: NamedDependency[Requester | None], styles: FromDishka[StylesReader]
    ) -> Success[StyleDetail]:
        return Success(data=await styles.detail(style_id, viewer=viewer))

    @get(
        "/{style_id:int}/events",
        guard=session_optional,
        refusals=(errors.StyleNotFound, TooManyStreams),
        summary="Stream training events (SSE)",
        description="Until the training has ended.",
        media_type=MEDIA_TYPE,
        answers=(OwnStyleDetail, StyleDetail),
        events=("status", "progress"),
    )
    async def watch(
        self,
        style_id: PathId[StyleId],
        watching_viewer: NamedDependency[Watcher | None],
        watch_training: FromDishka[WatchTraining],
        last_event_id: Annotated[str, HeaderParameter(name=LAST_EVENT_ID)] = "",
    ) -> EventStream:
        return EventStream(watch_training(watching_viewer, style_id, known=last_event_id))

    @get(
        "/{style_id:int}/examples",
        guard=session_optional,
        refusals=(errors.StyleNotFound,),
        summary="List public generations of a style",
    )
    async def examples(
        self,
        style_id: PathId[StyleId],
        viewer: NamedDependency[Requester | None],
        paging: NamedDependency[Paging],
        styles: FromDishka[StylesReader],
        generations: FromDishka[GenerationsReader],
    ) -> Success[Results[FeedItem]]:
        await styles.detail(style_id, viewer=viewer)
        order = f"examples:{style_id}"
        page = await generations.feed(
            FeedQuery(style_id=style_id), viewer=viewer.id if viewer else None, page=paging.request(order)
        )
        return Success(data=paging.results(order, page))

    @get(
        "/{style_id:int}/recommended-tags",
        guard=session_optional,
        refusals=(errors.StyleNotFound,),
        summary="List recommended tags of a style",
        description="The most frequent tags of its artworks and its generations.",
    )
    async def recommended_tags(
        self, style_id: PathId[StyleId], viewer: NamedDependency[Requester | None], styles: FromDishka[StylesReader]
    ) -> Success[RecommendedTags]:
        return Success(data=await styles.recommended_tags(style_id, viewer=viewer))

    @post(
        "/",
        guard=artist,
        limit=RouteLimit.UPLOAD,
        refusals=REFUSALS,
        summary="Create a style and train it",
        description=(
            "From 10 to 100 artworks: files in a form or, in JSON, ids of uploads. Uploads are checked after the"
            " answer: the style's `checking` says how far, and at the first file that is refused the style fails."
        ),
        max_body=MAX_BODY,
        form=STYLE,
    )
    async def create(
        self,
        request: AnyRequest,
        requester: NamedDependency[Requester],
        create_style: FromDishka[CreateStyle],
        create_style_from_uploads: FromDishka[CreateStyleFromUploads],
    ) -> Response[Success[CreatedStyle]]:
        if not has_key(request):  # a repeated call gets its answer, whatever the limit
            await create_style.check_limit(requester)
        if request.content_type[0] == "application/json":
            uploaded = decode(await whole_body(request), UploadedStyleFields)
            artworks = uploaded_artworks(uploaded.upload_ids, uploaded.captions, uploaded.image_tags)
            created = await create_style_from_uploads(requester, _new_style(uploaded), artworks)
        else:
            async with STYLE.read(request) as (fields, files):
                uploads = [*files.get("images", []), *files.get("training_images", [])]
                texts = artwork_texts(len(uploads), fields.captions, fields.image_tags)
                images = [
                    TrainingImage(upload, text.caption, text.tags) for upload, text in zip(uploads, texts, strict=True)
                ]
                created = await create_style(requester, _new_style(fields), images)
        return Response(Success(data=created), headers={"Location": f"/api/styles/{created.id}"})

    @patch(
        "/{style_id:int}",
        guard=artist,
        limit=RouteLimit.UPLOAD,
        refusals=(
            errors.StyleNotFound,
            Forbidden,
            errors.StyleNotReady,
            errors.StyleClosed,
            errors.StyleWithdrawn,
            errors.VersionNotFound,
            errors.VersionNotReady,
            InvalidPicture,
        ),
        summary="Update my style",
        max_body=MAX_THUMBNAIL_BODY,
        form=CHANGES,
        answers=(Success[OwnStyleDetail],),
    )
    async def edit(
        self,
        request: AnyRequest,
        style_id: PathId[StyleId],
        requester: NamedDependency[Requester],
        edit_style: FromDishka[EditStyle],
        styles: FromDishka[StylesReader],
    ) -> Success[StyleDetail]:
        async with CHANGES.read(request) as (changes, files):
            valid_to = changes.valid_to if changes.valid_to is UNSET else _utc("valid_to", changes.valid_to)
            thumbnails = files.get("thumbnail", [])
            await edit_style(
                requester.id,
                style_id,
                msgspec.structs.replace(changes, valid_to=valid_to),
                thumbnails[0].content if thumbnails else None,
            )
        return Success(data=await styles.detail(style_id, viewer=requester))

    @delete(
        "/{style_id:int}",
        guard=artist,
        refusals=(errors.StyleNotFound, Forbidden),
        summary="Delete my style",
        description="A style that was used is closed instead.",
    )
    async def remove(
        self, style_id: PathId[StyleId], requester: NamedDependency[Requester], delete_style: FromDishka[DeleteStyle]
    ) -> None:
        await delete_style(requester.id, style_id)

    @post(
        "/{style_id:int}/retrain",
        guard=artist,
        refusals=(
            errors.StyleNotFound,
            Forbidden,
            errors.TrainingInProgress,
            errors.StyleWithdrawn,
            errors.InsufficientImages,
            errors.ArtworksRejected,
        ),
        summary="Retrain my style",
        description="Only after a failed training of its latest version.",
        status=202,
    )
    async def retrain(
        self, style_id: PathId[StyleId], requester: NamedDependency[Requester], retrain_style: FromDishka[RetrainStyle]
    ) -> Success[CreatedStyle]:
        return Success(data=await retrain_style(requester.id, style_id))

    @post(
        "/{style_id:int}/withdraw",
        guard=signed_in,
        refusals=(errors.StyleNotFound, Forbidden),
        summary="Withdraw a style",
        description=(
            "For good, as its artist or as an admin. No new generations are made from now on; queued ones are cancelled"
            " and refunded, those that are processed are completed and paid."
        ),
        status=200,
        answers=(Success[OwnStyleDetail],),
    )
    async def withdraw(
        self,
        request: AnyRequest,
        style_id: PathId[StyleId],
        data: JSONBody[NewTakedown],
        requester: NamedDependency[Requester],
        withdraw_style: FromDishka[WithdrawStyle],
        styles: FromDishka[StylesReader],
    ) -> Success[StyleDetail]:
        operator = Operator(requester.id, trace_id=trace_id.get())
        await withdraw_style(requester, style_id, data, operator=operator, at_once=not has_key(request))
        return Success(data=await styles.detail(style_id, viewer=requester))


def _new_style(fields: StyleFields) -> NewStyle:
    return msgspec.structs.replace(
        fields,
        tags=comma_separated(fields.tags),
        valid_from=_utc("valid_from", fields.valid_from),
        valid_to=_utc("valid_to", fields.valid_to),
    )


def _utc(field: str, moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError:
        raise ValidationError(**{field: TIME_OUT_OF_RANGE}) from None
