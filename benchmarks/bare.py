"""A Litestar application that only answers JSON, served like the service: the limit of HTTP."""

import asyncio
import sys

import msgspec
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from litestar import Litestar, get


class Answer(msgspec.Struct):
    success: bool
    data: dict[str, int]


@get("/api/health/live")
async def bare() -> Answer:
    return Answer(success=True, data={"id": 1, "token_balance": 100})


def main(port: int) -> None:
    app = Litestar([bare], logging_config=None, openapi_config=None)
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        log_enabled=False,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())


if __name__ == "__main__":
    main(int(sys.argv[1]))
