from typing import Annotated

from dishka import FromDishka
from litestar import Controller
from litestar.params import FromQuery, QueryParameter

from core.paging import DEFAULT_LIMIT, MAX_LIMIT
from core.search.views import CANDIDATES, Found, SearchReader, SearchType, UsedTag
from entrypoints.http.envelope import Success
from entrypoints.http.operation import get
from entrypoints.http.security.access import session_optional


class SearchController(Controller):
    path = "/api/search"
    tags = ("Search",)

    @get(
        "/",
        guard=session_optional,
        summary="Search styles and artists",
        description="By any part of their names; the best match first.",
    )
    async def search(
        self,
        search: FromDishka[SearchReader],
        q: Annotated[
            str, QueryParameter(description="Any part of a style's name or tag, or of an artist's name.")
        ] = "",
        type: FromQuery[SearchType] = SearchType.ALL,
        limit: Annotated[int, QueryParameter(ge=1, le=CANDIDATES, description="Of each kind.")] = 20,
    ) -> Success[Found]:
        return Success(data=await search.search(q, type=type, limit=limit))


class TagsController(Controller):
    path = "/api/tags"
    tags = ("Search",)

    @get("/", guard=session_optional, summary="List tags", description="The most used first.")
    async def used(
        self,
        tags: FromDishka[SearchReader],
        search: Annotated[str, QueryParameter(description="The beginning of a tag.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    ) -> Success[list[UsedTag]]:
        return Success(data=await tags.tags(search, limit=limit))
