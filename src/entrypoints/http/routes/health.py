import asyncio
from typing import Literal

import msgspec
from dishka import FromDishka
from litestar import Controller

from core.ports.database import DatabaseUnavailable
from entrypoints.http.dependencies import Dependencies
from entrypoints.http.envelope import Success
from entrypoints.http.operation import get
from entrypoints.http.security.access import session_ignored
from entrypoints.http.version import VERSION

State = Literal["ok", "unreachable"]


class Checks(msgspec.Struct, frozen=True):
    database: State
    queue: State
    storage: State


class Health(msgspec.Struct, frozen=True):
    status: Literal["ok", "degraded"]
    """`degraded` without the queue or the storage: the service still answers, and tasks wait."""
    version: str
    checks: Checks


class Ready(msgspec.Struct, frozen=True):
    status: Literal["ok"]


class HealthController(Controller):
    path = "/api/health"
    tags = ("Health",)

    @get("/", guard=session_ignored, summary="Get the health of the service and its dependencies")
    async def health(self, dependencies: FromDishka[Dependencies]) -> Success[Health]:
        reachable = await asyncio.gather(dependencies.database(), dependencies.queue(), dependencies.storage())
        checks = Checks(*("ok" if answers else "unreachable" for answers in reachable))
        if checks.database != "ok":
            raise DatabaseUnavailable(details={"checks": checks})
        return Success(data=Health("ok" if all(reachable) else "degraded", VERSION, checks))

    @get("/live", guard=session_ignored, summary="Liveness probe")
    async def live(self) -> Success[Ready]:
        return Success(data=Ready("ok"))

    @get("/ready", guard=session_ignored, summary="Readiness probe")
    async def ready(self, dependencies: FromDishka[Dependencies]) -> Success[Ready]:
        if not await dependencies.database():
            raise DatabaseUnavailable
        return Success(data=Ready("ok"))
