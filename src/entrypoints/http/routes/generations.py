import hashlib
from enum import Enum
from typing import Annotated

import msgspec
from dishka import FromDishka
from litestar import Controller, MediaType, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, HeaderParameter, JSONBody, QueryParameter

from core.accounts.errors import Unauthorized
from core.generations.cancel_generation import CancelGeneration
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.errors import (
    GenerationChanged,
    GenerationEnded,
    GenerationHidden,
    GenerationNotCompleted,
    GenerationNotFound,
    GenerationStillProcessing,
    PriceChanged,
    ResultBroken,
)
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import (
    FeedItem,
    FeedQuery,
    FeedSort,
    GenerationsReader,
    GenerationView,
    RequestedGeneration,
    StatusFilter,
)
from core.generations.watch_generation import WatchGeneration
from core.identifiers import MAX_ID, GenerationId, UserId
from core.live_events import Watcher
from core.requester import Requester
from core.styles.errors import ImagesWithdrawn, StyleNotFound, StyleNotReady
from core.tags import InvalidTagLanguage, normalize_tags
from core.tokens.errors import DebtOutstanding, InsufficientTokens
from entrypoints.http.envelope import Success
from entrypoints.http.open_streams import TooManyStreams
from entrypoints.http.operation import RouteLimit, get, patch, post
from entrypoints.http.paging import Paging, Results
from entrypoints.http.params import PathId, comma_separated
from entrypoints.http.security.access import session_optional, signed_in
from entrypoints.http.streams import LAST_EVENT_ID, MEDIA_TYPE, EventStream


class PublicFilter(Enum):
    ALL = "all"
    TRUE = "true"
    FALSE = "false"


class GenerationsController(Controller):
    path = "/api/generations"
    tags = ("Generations",)

    @post(
        "/",
        guard=signed_in,
        limit=RouteLimit.GENERATE,
        refusals=(
            *(StyleNotFound, StyleNotReady, PriceChanged),
            *(InsufficientTokens, DebtOutstanding, InvalidTagLanguage),
        ),
        summary="Create a generation",
    )
    async def request(
        self,
        data: JSONBody[NewGeneration],
        requester: NamedDependency[Requester],
        request_generation: FromDishka[RequestGeneration],
    ) -> Response[Success[RequestedGeneration]]:
        requested = await request_generation(requester.id, data)
        return Response(Success(data=requested), headers={"Location": f"/api/generations/{requested.id}"})

    @get(
        "/feed", guard=session_optional, refusals=(InvalidTagLanguage, Unauthorized), summary="List public generations"
    )
    async def feed(
        self,
        viewer: NamedDependency[Requester | None],
        paging: NamedDependency[Paging],
        generations: FromDishka[GenerationsReader],
        sort: FromQuery[FeedSort] = FeedSort.RECENT,
        with_tags: Annotated[str, QueryParameter(name="tags", description="Comma-separated; all must match.")] = "",
        user_id: Annotated[int | None, QueryParameter(ge=1, le=MAX_ID)] = None,
        following: Annotated[bool, QueryParameter(description="Only of users that I follow.")] = False,
    ) -> Success[Results[FeedItem]]:
        if following and viewer is None:
            raise Unauthorized
        query = FeedQuery(
            sort=sort,
            tags=normalize_tags(comma_separated([with_tags]), field="tags"),
            user_id=UserId(user_id) if user_id else None,
            followed_by=viewer.id if viewer and following else None,
        )
        order = f"feed:{sort.value}{':following' if following else ''}"
        page = await generations.feed(query, viewer=viewer.id if viewer else None, page=paging.request(order))
        return Success(data=paging.results(order, page))

    @get("/me", guard=signed_in, summary="List my generations")
    async def list_own(
        self,
        requester: NamedDependency[Requester],
        paging: NamedDependency[Paging],
        generations: FromDishka[GenerationsReader],
        status: FromQuery[StatusFilter] = StatusFilter.ALL,
        is_public: FromQuery[PublicFilter] = PublicFilter.ALL,
    ) -> Success[Results[GenerationView]]:
        page = await generations.list_own(
            requester.id,
            status=status,
            is_public=None if is_public is PublicFilter.ALL else is_public is PublicFilter.TRUE,
            page=paging.request("own-generations"),
        )
        return Success(data=paging.results("own-generations", page))

    @get(
        "/{generation_id:int}",
        guard=session_optional,
        refusals=(GenerationNotFound,),
        summary="Get a generation",
        conditional=True,
    )
    async def detail(
        self,
        generation_id: PathId[GenerationId],
        viewer: NamedDependency[Requester | None],
        generations: FromDishka[GenerationsReader],
    ) -> Response[Success[GenerationView]]:
        generation = await generations.detail(generation_id, viewer=viewer.id if viewer else None)
        return _tagged(Success(data=generation))

    @get(
        "/{generation_id:int}/events",
        guard=session_optional,
        refusals=(GenerationNotFound, TooManyStreams),
        summary="Stream generation events (SSE)",
        description="Until the generation has ended.",
        media_type=MEDIA_TYPE,
        answers=(GenerationView,),
        events=("status", "progress"),
    )
    async def watch(
        self,
        generation_id: PathId[GenerationId],
        watching_viewer: NamedDependency[Watcher | None],
        watch_generation: FromDishka[WatchGeneration],
        last_event_id: Annotated[str, HeaderParameter(name=LAST_EVENT_ID)] = "",
    ) -> EventStream:
        return EventStream(watch_generation(watching_viewer, generation_id, known=last_event_id))

    @patch(
        "/{generation_id:int}",
        guard=signed_in,
        refusals=(
            GenerationNotFound,
            GenerationNotCompleted,
            GenerationChanged,
            GenerationHidden,
            ImagesWithdrawn,
            ResultBroken,
        ),
        summary="Update my generation",
        description="Publish it, hide it or describe it.",
    )
    async def edit(
        self,
        generation_id: PathId[GenerationId],
        data: JSONBody[GenerationChanges],
        requester: NamedDependency[Requester],
        edit_generation: FromDishka[EditGeneration],
        generations: FromDishka[GenerationsReader],
    ) -> Success[GenerationView]:
        await edit_generation(requester.id, generation_id, data)
        return Success(data=await generations.detail(generation_id, viewer=requester.id))

    @post(
        "/{generation_id:int}/cancel",
        guard=signed_in,
        refusals=(GenerationNotFound, GenerationStillProcessing, GenerationEnded),
        summary="Cancel a generation",
        description="Only while it is queued; its held tokens are released.",
        status=200,
    )
    async def cancel(
        self,
        generation_id: PathId[GenerationId],
        requester: NamedDependency[Requester],
        cancel_generation: FromDishka[CancelGeneration],
        generations: FromDishka[GenerationsReader],
    ) -> Success[GenerationView]:
        await cancel_generation(requester.id, generation_id)
        return Success(data=await generations.detail(generation_id, viewer=requester.id))


def _tagged(answer: Success[GenerationView]) -> Response[Success[GenerationView]]:
    """With an `ETag` of its content: polling an unchanged generation gets 304."""
    body = msgspec.json.encode(answer)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie"}
    return Response(body, media_type=MediaType.JSON, headers=headers)  # type: ignore[arg-type]
