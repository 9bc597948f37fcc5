from typing import Annotated

from dishka.integrations.litestar import FromDishka
from litestar import Controller, get
from litestar.params import FromQuery, QueryParameter

from core.search.views import CANDIDATES, Found, SearchReader, SearchType
from entrypoints.http.access import anybody
from entrypoints.http.envelope import Success


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
