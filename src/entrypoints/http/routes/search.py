from typing import Annotated

from dishka.integrations.litestar import FromDishka
from litestar import Controller, get
from litestar.params import FromQuery, QueryParameter

from core.paging import DEFAULT_LIMIT, MAX_LIMIT
from core.search.views import CANDIDATES, Found, SearchReader, SearchType, UsedTag
from entrypoints.http.envelope import Success
from entrypoints.http.security.access import anybody


class SearchController(Controller):
    path = "/api/search"
    tags = ("Search",)

    @get("/", guards=[anybody], summary="Styles and artists by any part of what they are called, the best match first")
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

    @get("/", guards=[anybody], summary="Tags in use, the most used first; with `search` those that begin with it")
    async def used(
        self,
        tags: FromDishka[SearchReader],
        search: Annotated[str, QueryParameter(description="What they begin with.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    ) -> Success[list[UsedTag]]:
        return Success(data=await tags.tags(search, limit=limit))
