from dishka import FromDishka
from litestar import Controller

from entrypoints.http.envelope import Success
from entrypoints.http.operation import post
from entrypoints.http.security.access import scheduler
from entrypoints.tick import Tick, Ticked


class InternalController(Controller):
    path = "/internal"
    tags = ("Internal",)

    @post("/tick", guard=scheduler, summary="Publish waiting tasks and run one maintenance pass", status=200)
    async def tick(self, tick: FromDishka[Tick]) -> Success[Ticked]:
        return Success(data=await tick())
