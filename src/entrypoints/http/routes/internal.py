from dishka.integrations.litestar import FromDishka
from litestar import Controller, post

from entrypoints.http.envelope import Success
from entrypoints.http.security.access import scheduler
from entrypoints.tick import Tick, Ticked


class InternalController(Controller):
    path = "/internal"
    tags = ("Internal",)
    guards = (scheduler,)

    @post("/tick", status_code=200, summary="Publish waiting tasks and sweep, once, as a scheduled job does")
    async def tick(self, tick: FromDishka[Tick]) -> Success[Ticked]:
        return Success(data=await tick())
